using System.Text.RegularExpressions;

namespace SaeUnbox.Architecture.Tests;

/// <summary>What the formatter does not hold.</summary>
public sealed partial class SourceTests
{
    private const int MaxLine = 140;

    [Theory]
    [InlineData("src"), InlineData("tests"), InlineData("samples"), InlineData("build")]
    public void Lines_OfEverySource_AreShort(string folder)
    {
        var files = Directory.EnumerateFiles(Path.Combine(Repository.Root, folder), "*.cs", SearchOption.AllDirectories)
            .Where(path => !path.Contains("Migrations", StringComparison.Ordinal)).ToArray();
        var wide = files.SelectMany(path => File.ReadLines(path).Index().Where(line => line.Item.Length > MaxLine)
            .Select(line => $"{Path.GetRelativePath(Repository.Root, path)}:{line.Index + 1}"));

        Assert.NotEmpty(files);
        Assert.Empty(wide);
    }

    // The studio may be served under a path prefix.
    [Fact]
    public void Addresses_InPagesAndScripts_AreRelative()
    {
        var files = new[] { "src/SaeUnbox.Web/Components", "wwwroot/js" }
            .SelectMany(folder => Directory.EnumerateFiles(Path.Combine(Repository.Root, folder), "*",
                SearchOption.AllDirectories)).ToArray();
        var absolute = files.SelectMany(path => File.ReadLines(path).Where(line => FromTheRoot().IsMatch(line)));

        Assert.True(files.Length > 50);
        Assert.Empty(absolute);
    }

    [GeneratedRegex(
        """(?:href|src|action)=(?:"|"@\(\$")/|(?:import|fetch|withUrl|NavigateTo)\(\$?["'`]/|from '/|(?:href|src)[:=] ?["'`]/|=> \$"/""")]
    private static partial Regex FromTheRoot();
}
