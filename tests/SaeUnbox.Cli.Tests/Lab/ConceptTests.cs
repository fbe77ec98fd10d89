using SaeUnbox.Testing;

namespace SaeUnbox.Cli.Tests.Lab;

public sealed class ConceptTests : IDisposable
{
    private static readonly string[] Small = ["--model", Goldens.At("model"), "--saes", Goldens.At("saes"), "--threads", "1"];

    private readonly TemporaryFolder _folder = new();

    [Fact]
    public async Task Concept_KeptInAnAtlas_IsAnEditOfItsFeatures()
    {
        File.WriteAllText(_folder.At("captions.txt"), "a dog");
        await Saeunbox.SucceedAsync(["atlas", .. Small, "--captions", _folder.At("captions.txt"), "--out", _folder.At("atlas")]);

        var found = (await Saeunbox.SucceedAsync([
            "concept", .. Small, "--from", "a dog on snow", "--against", "on snow", "--seeds", "2", "--size", "64", "--top", "2",
            "--mask", "[[1,0],[0,0]]", "--atlas", _folder.At("atlas"), "--json"])).Json;

        Assert.Equal("dog", found.GetProperty("name").GetString());
        var sites = found.GetProperty("sites").EnumerateArray().ToArray();
        var features = sites[0].GetProperty("features").EnumerateArray().Select(one => one.GetProperty("feature").GetInt32()).ToArray();
        Assert.InRange(sites[0].GetProperty("features")[0].GetProperty("auc").GetDouble(), 0, 1);
        var site = Site.Parse(sites[0].GetProperty("site").GetString()!);
        var one = await EditsAsync($"concept:dog/{site}:3:scale#0-1");
        Assert.Equal(new FeatureEdit(site, features[0], 3) { Also = [.. features[1..]], Mode = EditMode.Scale, LastStep = 1 },
            Assert.Single(one));
        Assert.Equal(sites.Length, (await EditsAsync("concept:dog:3")).Count);
        Assert.Contains("the atlas has dog", await FailAsync("concept:cat:1"));
        Assert.Contains("has no features at down.0.0", await FailAsync("concept:dog/down.0.0:1"));
    }

    [Fact]
    public async Task Atlas_ConceptsOfAFile_AreAddedToThoseItHas()
    {
        File.WriteAllText(_folder.At("captions.txt"), "a dog");
        File.WriteAllText(_folder.At("cat.json"), """
            [{"name":"cat","source":"by hand","sites":[{"site":"mid.0","features":[{"feature":3,"score":0.5,"auc":null}],
              "painting":{"mode":"add","strength":5,"features":1,"share":0.9,"grow":0}}]}]
            """);
        File.WriteAllText(_folder.At("dog.json"),
            """[{"name":"dog","source":"by hand","sites":[{"site":"mid.0","features":[{"feature":4,"score":0.5}]}]}]""");
        await Saeunbox.SucceedAsync(["atlas", .. Small, "--captions", _folder.At("captions.txt"), "--out", _folder.At("atlas"),
            "--concepts", _folder.At("cat.json")]);
        await Saeunbox.SucceedAsync(["atlas", "--out", _folder.At("atlas"), "--concepts", _folder.At("dog.json")]);

        var concepts = AtlasReader.Open(_folder.At("atlas")).Concepts;

        Assert.Equal(["cat", "dog"], concepts.Select(concept => concept.Name));
        Assert.Equal(new ConceptEffect(EditMode.Add, 5, 1, .9), concepts[0].Sites[0].Painting);
    }

    [Theory]
    [InlineData("""[{"name":"a/b","source":"","sites":[{"site":"mid.0","features":[{"feature":4,"score":0.5}]}]}]""")]
    [InlineData("""[{"name":"dog","source":"","sites":[]}]""")]
    [InlineData("""[{"name":"dog","source":"","sites":[{"site":"mid.0","features":[]}]}]""")]
    [InlineData("""{}""")]
    [InlineData("")]
    public async Task Atlas_UnusableConcepts_SaysSo(string json)
    {
        File.WriteAllText(_folder.At("concepts.json"), json);

        var said = await Saeunbox.FailAsync(
            ["atlas", .. Small, "--out", _folder.At("atlas"), "--concepts", _folder.At("concepts.json")]);

        Assert.Contains("concepts.json cannot be used", said);
        Assert.DoesNotContain("BytePosition", said); // .NET's own text, which is for programmers
    }

    [Fact]
    public async Task Concept_ModelWithoutAtlas_PrintsItsEditsAndSaysSo()
    {
        var use = await Saeunbox.RunAsync(["concept", .. Small, "--from", "a dog", "--against", "a", "--seeds", "1", "--size", "64"]);

        Assert.Equal(0, use.Code);
        Assert.Contains("no atlas", use.Error);
        Assert.Contains("--edit mid.0:", use.Output);
    }

    [Fact]
    public async Task Concept_OfUnboxMinisTruth_HasItsAuc()
    {
        File.Copy(Path.Combine(EmbeddedModel.AtlasFolder, AtlasReader.FileName), _folder.At(AtlasReader.FileName));

        var found = (await Saeunbox.SucceedAsync([
            "concept", "--truth", "night", "--seeds", "8", "--top", "2", "--site", "mid.0", "--atlas", _folder.At(), "--json"])).Json;

        Assert.Equal("night", found.GetProperty("name").GetString());
        var site = Assert.Single(found.GetProperty("sites").EnumerateArray());
        Assert.InRange(site.GetProperty("auc").GetDouble(), 0.8, 1);
        // It takes the place of the one that ships.
        var kept = AtlasReader.Open(_folder.At()).Concepts.Single(concept => concept.Name == "night");
        Assert.Equal(2, Assert.Single(kept.Sites).Features.Count);
    }

    [Theory]
    [InlineData("--truth night", "--truth: nothing knows")]
    [InlineData("--against a", "--from PROMPT")]
    [InlineData("--from dog", "--against PROMPT")]
    [InlineData("--from dog --against dog", "--name")]
    [InlineData("--from dog --against cat --name a:b", "--name a:b")]
    [InlineData("--from dog --against cat --seeds 0", "--seeds 0")]
    [InlineData("--from dog --against cat --site down.0.0", "down.0.0")]
    [InlineData("--from dog --against cat --atlas .", "atlas.sqlite")]
    [InlineData("--from dog --against cat --mask [[2]]", "[[2]]")]
    public async Task Concept_InvalidInput_SaysSo(string words, string named) =>
        Assert.Contains(named, await Saeunbox.FailAsync(["concept", .. Small, .. words.Split(' ')]));

    public void Dispose() => _folder.Dispose();

    private string[] Generate(string edit) =>
    [
        "generate", .. Small, "--prompt", "a dog", "--width", "64", "--height", "64", "--atlas", _folder.At("atlas"), "--edit", edit,
        "--out", _folder.At("dog.png"),
    ];

    private async Task<ValueList<FeatureEdit>> EditsAsync(string edit)
    {
        await Saeunbox.SucceedAsync(Generate(edit));
        return Recipe.FromJson(Png.FindText(File.ReadAllBytes(_folder.At("dog.png")), Recipe.PngKeyword)!).Edits;
    }

    private Task<string> FailAsync(string edit) => Saeunbox.FailAsync(Generate(edit));
}
