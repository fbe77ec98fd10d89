using SaeUnbox.Testing;

namespace SaeUnbox.Cli.Tests;

public sealed class ExploreTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    [Fact]
    public async Task Explore_GoldenRun_WritesTheReferenceTopFeaturesAndAllFiles()
    {
        // The run whose top features are in the goldens: one step, no guidance.
        var run = GoldenUse.Runs.First(name => GoldenUse.Number(name, "num_inference_steps") == 1);
        var expected = GoldenUse.Sites.ToDictionary(site => site,
            site => GoldenTensors.Read("saes.safetensors", $"{site}/top10").data<long>().ToArray());
        var count = expected.Values.First().Length;
        var use = await Saeunbox.SucceedAsync([
            "explore",
            .. GoldenUse.Words(run),
            "--top",
            $"{count}",
            "--out",
            _folder.At("x"),
            "--json"
        ]);

        Assert.Equal(use.Output.TrimEnd(), File.ReadAllText(_folder.At("x", "features.json")).TrimEnd());
        var image = Picture.Decode(File.ReadAllBytes(_folder.At("x", "image.png")));
        var files = new List<string> { "image.png", "features.json", "activations.safetensors" };
        using var activations = Checkpoint.Open(_folder.At("x", "activations.safetensors"));
        foreach (var (site, top) in expected)
        {
            var listed = use.Json.GetProperty("sites").GetProperty(site.Code);
            Assert.Equal(top, listed.GetProperty("features").EnumerateArray().Select(feature => feature.GetProperty("feature").GetInt64()));
            foreach (var feature in listed.GetProperty("features").EnumerateArray())
            {
                Assert.True(feature.GetProperty("mean").GetDouble() <= feature.GetProperty("max").GetDouble());
                Assert.InRange(feature.GetProperty("share").GetDouble(), 0, 1);
                var heatmap = feature.GetProperty("heatmap").GetString()!;
                files.Add(heatmap);
                var drawn = Picture.Decode(File.ReadAllBytes(_folder.At("x", heatmap)));
                Assert.Equal((image.Width, image.Height), (drawn.Width, drawn.Height));
            }
            long[] shape = [
                listed.GetProperty("rows").GetInt64(),
                listed.GetProperty("columns").GetInt64(),
                listed.GetProperty("k").GetInt64()
            ];
            Assert.Equal(shape, activations.Entries[$"{site}.indices"].Shape);
            Assert.Equal(shape, activations.Entries[$"{site}.values"].Shape);
        }
        Assert.Equal(
            files.Order(StringComparer.Ordinal),
            Directory
                .GetFiles(_folder.At("x"), "*", SearchOption.AllDirectories)
                .Select(path => Path.GetRelativePath(_folder.At("x"), path))
                .Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Explore_IntoAnEarlierRunsFolder_ReplacesOnlyItsOwnFiles()
    {
        string[] words = ["explore", .. GoldenUse.Words(GoldenUse.Smallest), "--out", _folder.At("x")];
        await Saeunbox.SucceedAsync([.. words, "--top", "3"]);
        var site = GoldenUse.Sites[0].Code;
        Directory.CreateDirectory(_folder.At("x", "heatmaps", "up.2.0"));
        File.WriteAllText(_folder.At("x", "heatmaps", "up.2.0", "7.png"), "of a site that has no autoencoder now");
        string[] foreign = [Path.Combine("heatmaps", site, "notes.png"), Path.Combine("heatmaps", "mine", "1.png"), "7.png"];
        Directory.CreateDirectory(_folder.At("x", "heatmaps", "mine"));
        foreach (var file in foreign)
            File.WriteAllText(_folder.At("x", file), file);

        var use = await Saeunbox.SucceedAsync([.. words, "--top", "1", "--json"]);

        var heatmaps = use.Json
            .GetProperty("sites")
            .EnumerateObject()
            .SelectMany(one => one.Value.GetProperty("features").EnumerateArray())
            .Select(feature => feature.GetProperty("heatmap").GetString()!);
        Assert.Equal(
            foreign.Concat(heatmaps).Concat(["image.png", "features.json", "activations.safetensors"]).Order(StringComparer.Ordinal),
            Directory
                .GetFiles(_folder.At("x"), "*", SearchOption.AllDirectories)
                .Select(path => Path.GetRelativePath(_folder.At("x"), path))
                .Order(StringComparer.Ordinal));
        Assert.False(Directory.Exists(_folder.At("x", "heatmaps", "up.2.0")));
        Assert.All(foreign, file => Assert.Equal(file, File.ReadAllText(_folder.At("x", file))));
    }

    [Fact]
    public async Task Icon_GoldenFeature_CarriesItsRecipe()
    {
        var site = GoldenUse.Sites[0];
        var use = await Saeunbox.SucceedAsync([
            "icon",
            .. Saeunbox.GoldenModel,
            "--vae",
            "tiny",
            "--site",
            site.Code,
            "--feature",
            "1",
            "--out",
            _folder.At("x.png"),
            "--json"
        ]);
        var recipe = Recipe.FromJson(Png.FindText(File.ReadAllBytes(_folder.At("x.png")), Recipe.PngKeyword)!);
        Assert.Equal("", recipe.Prompt);
        Assert.Equal(new SiteIntervention.Icon(site, 1), Assert.Single(recipe.Interventions));
        Assert.Equal(recipe, Recipe.FromJson(use.Json.GetProperty("recipe").GetRawText()));
    }

    public void Dispose() => _folder.Dispose();
}
