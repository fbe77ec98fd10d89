using SaeUnbox.Testing;

namespace SaeUnbox.Steering.Tests;

public class SaeConfigTests
{
    public static TheoryData<string> BadFiles() =>
        [.. Directory.EnumerateFiles(Goldens.At("badfiles"), "sae_config_*.json").Select(path => Path.GetFileName(path)!)];

    [Theory]
    [MemberData(nameof(BadFiles))]
    public void Load_BadFile_IsRejectedWithItsName(string file)
    {
        var error = Assert.Throws<SaeException>(() => SaeConfig.Load(Goldens.At("badfiles", file)));
        Assert.Contains(file, error.Message);
    }

    [Fact]
    public void BadFiles_Folder_HasConfigurations() => Assert.NotEmpty(BadFiles());

    [Theory]
    [InlineData("""{"n_dirs_local": 16, "d_model": 4, "k": 2, "auxk": 17, "dead_steps_threshold": 1}""", "auxk")]
    [InlineData("""{"n_dirs_local": 16, "d_model": 4, "k": 0, "auxk": null, "dead_steps_threshold": 1}""", "k is 0")]
    [InlineData("""{"n_dirs_local": 16, "d_model": 4, "auxk": null, "dead_steps_threshold": 1}""", "k is missing")]
    [InlineData("""{"n_dirs_local": 16.5, "d_model": 4, "k": 1, "auxk": null, "dead_steps_threshold": 1}""", "n_dirs_local")]
    [InlineData("""{"n_dirs_local": 16, "d_model": -4, "k": 1, "auxk": null, "dead_steps_threshold": 1}""", "d_model")]
    [InlineData("""{"n_dirs_local": "16", "d_model": 4, "k": 1, "auxk": null, "dead_steps_threshold": 1}""", "n_dirs_local")]
    [InlineData("""{"n_dirs_local": 16, "d_model": 4, "k": 1, "auxk": null, "dead_steps_threshold": 1, "prefix_sizes": [4, 4, 16]}""",
        "prefix_sizes")]
    [InlineData("""[1]""", "not a JSON object")]
    public void Load_FieldOutOfRange_IsNamed(string json, string named)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.At("config.json"), json);
        var error = Assert.Throws<SaeException>(() => SaeConfig.Load(folder.At("config.json")));
        Assert.Contains(named, error.Message);
    }

    [Theory]
    [InlineData(null, null, null)]
    [InlineData(3, 0.25f, new[] { 4, 16 })]
    public void ToJson_LoadedAgain_IsEqual(int? auxK, float? threshold, int[]? prefixes)
    {
        using var folder = new TemporaryFolder();
        var config = new SaeConfig(16, 4, 2, auxK, 7, threshold, prefixes);
        File.WriteAllText(folder.At("config.json"), config.ToJson());
        var loaded = SaeConfig.Load(folder.At("config.json"));
        Assert.Equal(config with { PrefixSizes = null }, loaded with { PrefixSizes = null });
        Assert.Equal(config.PrefixSizes, loaded.PrefixSizes);
    }
}
