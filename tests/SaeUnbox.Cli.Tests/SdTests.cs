using System.Text.Json;
using SaeUnbox.Testing;
using TorchSharp;

namespace SaeUnbox.Cli.Tests;

/// <summary>Every command on a small model of the form of SD 1.x.</summary>
public sealed class SdTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly string[] _model;

    public SdTests()
    {
        TinySd.WriteFirst(_folder.At("tiny"));
        TinySd.WriteSaes(_folder.At("saes"));
        _model = ["--model", _folder.At("tiny"), "--saes", _folder.At("saes"), "--threads", "1"];
    }

    [Fact]
    public async Task Generate_WithAnEdit_ChangesThePictureAndRepeatsFromItsRecipe()
    {
        string[] words = ["generate", .. _model, "--prompt", "a dog", "--steps", "4"];
        await Saeunbox.SucceedAsync([.. words, "--out", _folder.At("plain.png"), "--dump", _folder.At("plain.safetensors")]);
        await Saeunbox.SucceedAsync([.. words, "--edit", "up.1.1:3:8#1-3", "--out", _folder.At("painted.png")]);
        await Saeunbox.SucceedAsync([
            "generate", .. _model, "--recipe", _folder.At("painted.png"), "--out", _folder.At("again.png")]);

        Assert.NotEqual(Pixels("plain.png"), Pixels("painted.png"));
        Assert.Equal(File.ReadAllBytes(_folder.At("painted.png")), File.ReadAllBytes(_folder.At("again.png")));
        var recipe = Recipe.FromJson(Png.FindText(File.ReadAllBytes(_folder.At("plain.png")), Recipe.PngKeyword)!);
        Assert.Equal((7.5, 128, 128), (recipe.Guidance, recipe.Width, recipe.Height));
        using var dump = Checkpoint.Open(_folder.At("plain.safetensors"));
        Assert.Equal(
            [
                "image", "latents", "noise", "step.0.latents", "step.1.latents", "step.2.latents", "step.3.latents", "text.hidden",
                "up.1.1.input", "up.1.1.output", "up.1.2.input", "up.1.2.output",
            ],
            dump.Entries.Keys.Order(StringComparer.Ordinal));
        Assert.Equal([4, 2, 40, 4, 4], dump.Entries["up.1.2.output"].Shape);
    }

    [Fact]
    public async Task Explore_Json_NamesTheSitesOfTheModel()
    {
        var use = await Saeunbox.SucceedAsync([
            "explore", .. _model, "--prompt", "a dog", "--steps", "2", "--top", "3", "--out", _folder.At("x"), "--json"]);
        var sites = use.Json.GetProperty("sites").EnumerateObject().ToArray();
        Assert.Equal(
            [("up.1.1", "objects"), ("up.1.2", "style")],
            sites.Select(site => (site.Name, site.Value.GetProperty("nickname").GetString()!)));
        Assert.All(sites, site => Assert.Equal(3, site.Value.GetProperty("features").GetArrayLength()));
    }

    [Fact]
    public async Task CollectTrainMeasurePaint_WithoutSites_TakesTheNamedOnes()
    {
        // One step instead of fifty.
        TinySd.WriteFirst(_folder.At("turbo"), TinySd.Turbo);
        File.WriteAllLines(_folder.At("captions.txt"), ["a dog", "a boat", "a house on snow"]);
        await Saeunbox.SucceedAsync("collect", "--model", _folder.At("turbo"), "--captions", _folder.At("captions.txt"),
            "--out", _folder.At("data"), "--steps", "3", "--threads", "1");
        Assert.Equal(["up.1.1", "up.1.2"], Directory.GetDirectories(_folder.At("data")).Select(Path.GetFileName).Order());
        Assert.Equal(3 * 3 * 4 * 4, ActivationCollection.Open(_folder.At("data"), Site.Up(1, 1)).Rows);

        string[] trained = ["--saes", _folder.At("trained"), "--threads", "1"];
        var training = await Saeunbox.RunAsync(["train-sae", "--data", _folder.At("data"), "--out", _folder.At("trained"), "--k", "2",
            "--features", "24", "--auxk", "none", "--batch", "16", "--steps", "8", "--threads", "1"]);
        Assert.True(training.Code == 0, training.Error);
        await Saeunbox.SucceedAsync([
            "statistics", "--data", _folder.At("data"), .. trained, "--out", _folder.At("statistics.json"), "--write-scale"]);
        string[] picture = ["--model", _folder.At("turbo"), "--prompt", "a dog", "--steps", "2"];
        await Saeunbox.SucceedAsync([
            "evaluate", .. picture, .. trained, "--site", "up.1.2", "--top", "2", "--seeds", "1", "--out", _folder.At("report")]);
        await Saeunbox.SucceedAsync([
            "atlas", "--model", _folder.At("turbo"), .. trained, "--captions", _folder.At("captions.txt"), "--out", _folder.At("atlas")]);
        Assert.Equal([Site.Up(1, 1), Site.Up(1, 2)], AtlasReader.Open(_folder.At("atlas")).Sites);
    }

    [Fact]
    public async Task Collect_ForADictionaryOfOutputs_StoresThemAndMeasuresIt()
    {
        File.WriteAllLines(_folder.At("captions.txt"), ["a dog"]);
        await Saeunbox.SucceedAsync(["collect", .. _model, "--captions", _folder.At("captions.txt"), "--steps", "1", "--dtype", "fp32",
            "--out", _folder.At("data")]);
        Assert.True(ActivationCollection.Open(_folder.At("data"), Site.Up(1, 1)).HoldsOutputs);
        using (var json = JsonDocument.Parse(File.ReadAllText(_folder.At("data", "captions.jsonl"))))
            await Saeunbox.SucceedAsync("generate", "--model", _folder.At("tiny"), "--threads", "1", "--prompt", "a dog", "--steps", "1",
                "--seed", json.RootElement.GetProperty("seed").GetRawText(), "--dtype", "fp32",
                "--out", _folder.At("x.png"), "--dump", _folder.At("x.safetensors"));
        CheckCollectedOutputs();

        string[] measure = ["--saes", _folder.At("saes"), "--out", _folder.At("statistics.json"), "--threads", "1", "--write-scale"];
        await Saeunbox.SucceedAsync(["statistics", "--data", _folder.At("data"), .. measure]);
        await Saeunbox.SucceedAsync("collect", "--model", _folder.At("tiny"), "--captions", _folder.At("captions.txt"), "--steps", "1",
            "--out", _folder.At("differences"), "--threads", "1");
        Assert.Contains("collect again", await Saeunbox.FailAsync(["statistics", "--data", _folder.At("differences"), .. measure]));
        Assert.Contains("outputs of up.1.1", await Saeunbox.FailAsync(
            "train-sae", "--data", _folder.At("data"), "--out", _folder.At("trained"), "--k", "2", "--features", "24", "--threads", "1"));
    }

    [Fact]
    public async Task Inspect_TheFolder_ListsItsParts()
    {
        var parts = (await Saeunbox.SucceedAsync("inspect", _folder.At("tiny"), "--json")).Json.GetProperty("parts");
        Assert.Equal(
            ["scheduler", "text_encoder", "tokenizer", "unet", "vae"],
            parts.EnumerateArray().Select(part => Path.GetFileName(part.GetProperty("path").GetString())).Order());
        Assert.Contains("up.1.1", (await Saeunbox.SucceedAsync("inspect", _folder.At("saes"))).Output);
    }

    [Fact]
    public async Task Bench_Parts_TimesTheNamedSites()
    {
        var rows = (await Saeunbox.SucceedAsync("bench", "--model", _folder.At("tiny"), "--size", "128", "--repeats", "1", "--json"))
            .Output;
        Assert.Contains("text_encoder", rows);
        Assert.Contains("resume up.1.1", rows);
        Assert.Contains("resume up.1.2", rows);
    }

    [Fact]
    public async Task Tokenize_TheModel_ShowsItsOneTokenizer()
    {
        var use = await Saeunbox.SucceedAsync("tokenize", "--model", _folder.At("tiny"), "a dog", "--json");
        Assert.Equal(["tokenizer"], use.Json.EnumerateObject().Select(one => one.Name));
    }

    public void Dispose() => _folder.Dispose();

    private void CheckCollectedOutputs()
    {
        using var scope = torch.NewDisposeScope();
        using var dump = Checkpoint.Open(_folder.At("x.safetensors"));
        // Guided, so that the second of the batch is the conditional one.
        var output = dump.Read("up.1.1.output")[0][1].permute(1, 2, 0).reshape(-1, 40);
        var rows = ActivationCollection.Open(_folder.At("data"), Site.Up(1, 1)).Shards.Single().ReadRows();
        TensorAssert.RelativelyClose(output, rows, 2e-3);
    }

    private byte[] Pixels(string file) => Picture.Decode(File.ReadAllBytes(_folder.At(file))).Pixels.ToArray();
}
