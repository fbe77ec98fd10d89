using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Cli.Tests.Lab;

/// <summary>Builds an atlas, and searches it by words and by meaning.</summary>
public sealed class AtlasAndSearchTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public AtlasAndSearchTests()
    {
        using var scope = NewDisposeScope();
        TinyClip.Write(_folder.At("clip"));
        File.WriteAllLines(_folder.At("captions.txt"), ["a lighthouse", "a boat"]);
    }

    [Fact]
    public async Task Atlas_Search_FindsByWordsAndByClip()
    {
        await Saeunbox.SucceedAsync("atlas", "--model", Goldens.At("model"), "--saes", Goldens.At("saes"), "--captions",
            _folder.At("captions.txt"), "--out", _folder.At("atlas"), "--threads", "1");
        Assert.NotEmpty(await Search("lighthouse"));
        Assert.Empty(await Search("zeppelin"));
        Assert.Contains("was made without",
            await Saeunbox.FailAsync("search", "--atlas", _folder.At("atlas"), "--clip", _folder.At("clip"), "boat"));

        await Saeunbox.SucceedAsync("atlas", "--out", _folder.At("atlas"), "--clip", _folder.At("clip"), "--threads", "1");

        Assert.Equal(7, (await Search("zeppelin", "--clip", _folder.At("clip"), "--limit", "7")).Length);
        Assert.All(await Search("zeppelin", "--clip", _folder.At("clip"), "--site", "mid.0"), site => Assert.Equal("mid.0", site));
        Assert.Empty(await Search("zeppelin"));
    }

    [Fact]
    public async Task Atlas_ImportedFolder_IsSearchableByNameAndTakesSuggestions()
    {
        Directory.CreateDirectory(_folder.At("published", "mid.0"));
        File.WriteAllBytes(_folder.At("published", "mid.0", "3.jpg"), Core.Jpeg.Encode(new Core.Picture(64, 64, 3, new byte[64 * 64 * 3])));
        File.WriteAllText(_folder.At("names.json"), """{"mid.0":{"3":"lighthouse"}}""");
        File.WriteAllText(_folder.At("tries.json"),
            """
            [{"title":"A try","recipe":{"version":1,"model":"m","prompt":"a boat","seed":1,"steps":1,"guidance":0,"width":64,"height":64}}]
            """);

        await Saeunbox.SucceedAsync("atlas", "--model", Goldens.At("model"), "--saes", Goldens.At("saes"), "--import",
            _folder.At("published"), "--names", _folder.At("names.json"), "--out", _folder.At("atlas"), "--threads", "1");
        Assert.Equal(["mid.0"], await Search("lighthouse"));
        Assert.Empty(AtlasReader.Open(_folder.At("atlas")).Suggestions);

        await Saeunbox.SucceedAsync("atlas", "--out", _folder.At("atlas"), "--suggestions", _folder.At("tries.json"), "--threads", "1");
        Assert.Equal("A try", Assert.Single(AtlasReader.Open(_folder.At("atlas")).Suggestions).Title);
        Assert.Equal(["mid.0"], await Search("lighthouse"));
    }

    [Fact]
    public async Task Atlas_LabelsForAnExistingAtlas_NameFeaturesAndAreSearched()
    {
        await Saeunbox.SucceedAsync("atlas", "--model", Goldens.At("model"), "--saes", Goldens.At("saes"), "--captions",
            _folder.At("captions.txt"), "--out", _folder.At("atlas"), "--threads", "1");
        var feature =
            AtlasReader.Open(_folder.At("atlas")).Search(new Core.FeatureQuery { Site = Core.Site.Middle, Limit = 1 }).Hits[0].Card.Feature;
        Directory.CreateDirectory(_folder.At("labels"));
        File.WriteAllText(_folder.At("labels", "mid.0.json"),
            $$"""
            [{"id": {{feature}}, "label": "zeppelin", "category": "vehicles", "confidence": 0.9, "meanActivation": 1.5},
             {"id": 0, "label": ""}]
            """);
        await Saeunbox.SucceedAsync("atlas", "--out", _folder.At("atlas"), "--labels", _folder.At("labels"), "--threads", "1");
        Assert.Equal(["mid.0"], await Search("zeppelin"));
        Assert.Equal(["mid.0"], await Search("vehicles"));
        var card = AtlasReader.Open(_folder.At("atlas")).Find(Core.Site.Middle, feature)!;
        Assert.Equal(("zeppelin", "vehicles"), (card.Name, card.Words[0]));
    }

    [Theory]
    [InlineData("notes.json", "[]", "not a site's")]
    [InlineData("mid.0.json", "[]", "no labels")]
    [InlineData("mid.0.json", """[{"label": "x"}]""", "cannot be used")]
    [InlineData("mid.0.json", """[{"id": 99999, "label": "x"}]""", "none of the 1 labels")]
    public async Task Atlas_UnusableLabels_AreNamed(string name, string json, string told)
    {
        File.WriteAllText(_folder.At(name), json);
        Directory.CreateDirectory(_folder.At("atlas"));
        AtlasWriter.Write(_folder.At("atlas", AtlasReader.FileName), new("m", [], [], [], []));
        Assert.Contains(told,
            await Saeunbox.FailAsync("atlas", "--out", _folder.At("atlas"), "--labels", _folder.At(name), "--threads", "1"));
    }

    [Fact]
    public async Task Atlas_ImportWithoutMeans_NamesWhatGalleriesOmit()
    {
        Directory.CreateDirectory(_folder.At("published", "mid.0"));
        File.WriteAllBytes(_folder.At("published", "mid.0", "3.jpg"), Core.Jpeg.Encode(new Core.Picture(64, 64, 3, new byte[64 * 64 * 3])));
        foreach (var file in Directory.GetFiles(Goldens.At("saes"), "*", SearchOption.AllDirectories)
            .Where(file => Path.GetFileName(file) != "mean.pt"))
        {
            var copy = _folder.At("saes", Path.GetRelativePath(Goldens.At("saes"), file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }

        var use = await Saeunbox.RunAsync([
            "atlas",
            "--model",
            Goldens.At("model"),
            "--saes",
            _folder.At("saes"),
            "--import",
            _folder.At("published"),
            "--out",
            _folder.At("atlas"),
            "--threads",
            "1"
        ]);

        Assert.Equal(0, use.Code);
        Assert.Contains("there is no mean.pt next to the weights of down.2.1, mid.0, up.0.0, up.0.1", use.Error);
    }

    [Theory]
    [InlineData("search --atlas OUT boat", "holds no atlas.sqlite")]
    [InlineData("search --atlas OUT/no boat", "--atlas")]
    [InlineData("search --clip OUT boat", "config.json is missing")]
    [InlineData("search --site middle boat", "--site middle")]
    [InlineData("search --limit 0 boat", "--limit 0")]
    [InlineData("search", "words")]
    [InlineData("atlas --out OUT/x --clip OUT/no --mini-captions 1", "--clip OUT/no")]
    [InlineData("atlas --out OUT/x --clip OUT --mini-captions 1", "config.json is missing")]
    [InlineData("atlas --out OUT/x --clip CLIP", "--captions FILE or --mini-captions N")]
    public async Task Run_InvalidUse_IsOneLineAndLeavesNothing(string words, string expected)
    {
        var output = Directory.CreateDirectory(_folder.At("out")).FullName;
        string Fill(string text) => text.Replace("OUT", output).Replace("CLIP", _folder.At("clip"));

        Assert.Contains(Fill(expected), await Saeunbox.FailAsync([.. Fill(words).Split(' ')]));
        Assert.Empty(Directory.GetFileSystemEntries(output));
    }

    public void Dispose()
    {
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        _folder.Dispose();
    }

    /// <summary>The sites of the hits.</summary>
    private async Task<string[]> Search(string text, params string[] more)
    {
        var use = await Saeunbox.SucceedAsync(["search", "--atlas", _folder.At("atlas"), "--json", "--threads", "1", .. more, text]);
        return [.. use.Json.EnumerateArray().Select(hit => hit.GetProperty("site").GetString()!)];
    }
}
