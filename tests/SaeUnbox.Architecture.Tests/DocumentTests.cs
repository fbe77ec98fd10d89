using System.Text.Json;
using System.Text.RegularExpressions;

namespace SaeUnbox.Architecture.Tests;

/// <summary>What the documents name exists: files, folders and tests.</summary>
public sealed partial class DocumentTests
{
    private static readonly string Root = Repository.Root;

    public static TheoryData<string> Documents { get; } = [.. Find().Order(StringComparer.Ordinal)];

    [Theory, MemberData(nameof(Documents))]
    public void Links_OfADocument_Exist(string document)
    {
        var folder = Path.GetDirectoryName(Path.Combine(Root, document))!;
        var missing = Link().Matches(Read(document)).Select(match => match.Groups[1].Value)
            .Where(target => !target.Contains("://", StringComparison.Ordinal) && !target.StartsWith('#'))
            .Where(target => !Path.Exists(Path.Combine(folder, target.Split('#')[0])));
        Assert.Empty(missing);
    }

    /// <summary>A path from the root, or, in a room's README, from the room.</summary>
    [Theory, MemberData(nameof(Documents))]
    public void Paths_OfADocument_Exist(string document)
    {
        var folder = Path.GetDirectoryName(Path.Combine(Root, document))!;
        var missing = Code().Matches(Read(document)).Select(match => match.Groups[1].Value).Where(IsPath)
            .Where(path => !Path.Exists(Path.Combine(Root, path)) && !Path.Exists(Path.Combine(folder, path)));
        Assert.Empty(missing);

        // What a program writes or what stands for any name is no file of this repository.
        bool IsPath(string text) =>
            FromRoot().IsMatch(text) || (document.StartsWith("src/", StringComparison.Ordinal) && FromRoom().IsMatch(text));
    }

    [Fact]
    public void Tests_NamedForThreats_Exist()
    {
        var sources = string.Concat(Directory.EnumerateFiles(Path.Combine(Root, "tests"), "*.cs", SearchOption.AllDirectories)
            .Select(File.ReadAllText));
        var named = TestName().Matches(Read("docs/security.md")).Select(match => match.Groups[1].Value).ToArray();
        Assert.NotEmpty(named);
        Assert.All(named, name => Assert.Matches($@"\b{Regex.Escape(name.TrimEnd('…'))}{(name.EndsWith('…') ? "" : @"\(")}", sources));
    }

    [Fact]
    public void Notices_OfThePrograms_NameEveryPackage()
    {
        var notices = Read("THIRD-PARTY-NOTICES.md");
        var configuration = Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory));
        foreach (var program in new[] { "SaeUnbox.Web", "SaeUnbox.Cli" })
        {
            var folder = Path.Combine(AppContext.BaseDirectory, "..", "..", program, configuration);
            using var json = JsonDocument.Parse(File.ReadAllText(Directory.GetFiles(folder, "*.deps.json").Single()));
            var packages = json.RootElement.GetProperty("libraries").EnumerateObject()
                .Where(library => library.Value.GetProperty("type").GetString() == "package").Select(library => library.Name.Split('/')[0]);
            Assert.All(packages, package => Assert.Matches($@"\| [^|]*\b{Regex.Escape(package)}\b[^|]* \| [^|]+ \|", notices));
        }
    }

    private static IEnumerable<string> Find()
    {
        string[] folders = ["docs", "samples", "src", "tests"];
        return Directory.EnumerateFiles(Root, "*.md")
            .Concat(folders.SelectMany(folder => Directory.EnumerateFiles(Path.Combine(Root, folder), "*.md", SearchOption.AllDirectories)))
            .Select(path => Path.GetRelativePath(Root, path).Replace('\\', '/'))
            // Those beside data tell of the data.
            .Where(path => !path.StartsWith("tests/goldens", StringComparison.Ordinal)
                && !path.Contains("/Weights/", StringComparison.Ordinal));
    }

    private static string Read(string document) => File.ReadAllText(Path.Combine(Root, document));

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex("`([^`\n]+)`")]
    private static partial Regex Code();

    [GeneratedRegex(@"^(src|tests|docs|samples|deploy|build|findings|wwwroot)/[A-Za-z0-9_./-]*$")]
    private static partial Regex FromRoot();

    [GeneratedRegex(@"^[A-Z][A-Za-z]+(/[A-Za-z.]+)*/?(\.cs|\.razor|/)$")]
    private static partial Regex FromRoom();

    [GeneratedRegex("`([A-Z][A-Za-z0-9]+_[A-Za-z0-9_]+…?)`")]
    private static partial Regex TestName();
}
