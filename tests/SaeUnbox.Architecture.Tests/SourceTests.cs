namespace SaeUnbox.Architecture.Tests;

/// <summary>What the formatter does not hold.</summary>
public sealed class SourceTests
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
}
