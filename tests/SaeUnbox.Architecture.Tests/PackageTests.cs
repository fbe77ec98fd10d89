using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace SaeUnbox.Architecture.Tests;

/// <summary>docs/packages.md lists the packages of the projects, with their versions.</summary>
public sealed partial class PackageTests
{
    private static readonly Dictionary<string, string> Versions = Elements(
        Path.Combine(Repository.Root, "src", "Directory.Packages.props"), "PackageVersion", "GlobalPackageReference")
        .ToDictionary(package => (string)package.Attribute("Include")!, package => (string)package.Attribute("Version")!,
            StringComparer.Ordinal);

    [Fact]
    public void Table_OfPackages_HasEachWithVersionAndReason()
    {
        var rows = Row().Matches(File.ReadAllText(Path.Combine(Repository.Root, "docs", "packages.md")));

        Assert.Equal(
            Versions.Select(package => $"{package.Key} {package.Value}").Order(StringComparer.Ordinal),
            rows.Select(row => $"{row.Groups["name"].Value} {row.Groups["version"].Value}").Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Versions_OfPackages_MatchTheProjects()
    {
        string[] folders = ["src", "tests", "samples"];
        var referred = folders.SelectMany(folder => Directory.EnumerateFiles(Path.Combine(Repository.Root, folder), "*.*proj",
            SearchOption.AllDirectories)
                .Append(Path.Combine(Repository.Root, folder, "Directory.Build.props")))
            .Append(Path.Combine(Repository.Root, "src", "Directory.Packages.props"))
            .SelectMany(file => Elements(file, "PackageReference", "LibtorchPackage", "GlobalPackageReference"))
            .Select(element => (string?)element.Attribute("Include") ?? element.Value)
            .Where(name => !name.StartsWith("$(", StringComparison.Ordinal));

        Assert.Equal(Versions.Keys.Order(StringComparer.Ordinal), referred.Distinct().Order(StringComparer.Ordinal));
    }

    private static IEnumerable<XElement> Elements(string file, params string[] names) =>
        XDocument.Load(file).Descendants().Where(element => names.Contains(element.Name.LocalName));

    // A row of the table with a name, a version and a reason.
    [GeneratedRegex(@"^\| (?<name>[\w.-]+) \| (?<version>\d[\w.-]*) \| \S.* \|$", RegexOptions.Multiline)]
    private static partial Regex Row();
}
