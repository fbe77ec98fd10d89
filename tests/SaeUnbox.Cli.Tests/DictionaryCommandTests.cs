using SaeUnbox.Testing;

namespace SaeUnbox.Cli.Tests;

/// <summary>Dictionaries of other programs on the command line.</summary>
public sealed class DictionaryCommandTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    [Theory]
    [InlineData("saelens", "SAELens")]
    [InlineData("dictionary_learning", "dictionary_learning")]
    [InlineData("sdxl-unbox", "sdxl-unbox")]
    public async Task Convert_GoldenFolder_IsInspectedAsThatLayout(string layout, string name)
    {
        var use = await Saeunbox.SucceedAsync("convert", Goldens.At("saes"), _folder.At("to"), "--to", layout);
        var folders = use.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        using var golden = SaeSet.Load(Goldens.At("saes"));
        Assert.Equal(golden.Count, folders.Length);

        var parts = (await Saeunbox.SucceedAsync("inspect", _folder.At("to"), "--json")).Json
            .GetProperty("parts")
            .EnumerateArray()
            .ToArray();
        Assert.Equal(golden.Count, parts.Length);
        foreach (var (site, sae) in golden)
        {
            var facts = parts.Select(part => part.GetProperty("facts"))
                .Single(one => one.GetProperty("site").GetString() == site.Code);
            Assert.Equal(name, facts.GetProperty("layout").GetString());
            Assert.Equal("TopK", facts.GetProperty("kind").GetString());
            Assert.Equal($"{sae.Features} {sae.Width} {sae.K}",
                $"{facts.GetProperty("n").GetString()} {facts.GetProperty("d").GetString()} {facts.GetProperty("k").GetString()}");
            Assert.False(facts.TryGetProperty("missing", out _));
        }
    }

    [Fact]
    public async Task Statistics_LayoutWithoutMeans_WritesThemForAdd()
    {
        await Saeunbox.SucceedAsync("convert", Goldens.At("saes"), _folder.At("saes"), "--to", "saelens");
        foreach (var file in Directory.GetFiles(_folder.At("saes"), "*.pt", SearchOption.AllDirectories))
            File.Delete(file);
        File.WriteAllLines(_folder.At("captions.txt"), ["a boat", "a house"]);
        var site = SaeSet.Find(_folder.At("saes")).Keys.First().Code;
        string[] model = ["--model", Goldens.At("model"), "--saes", _folder.At("saes"), "--threads", "1"];
        string[] paint = ["generate", .. model, "--prompt", "x", "--out", _folder.At("x.png"), "--edit", $"{site}:1:5"];
        Assert.Contains("statistics --write-scale", await Saeunbox.FailAsync(paint));

        Assert.Equal(0, (await Saeunbox.RunAsync(
            ["collect", .. model, "--captions", _folder.At("captions.txt"), "--site", site, "--out", _folder.At("data")])).Code);
        Assert.Equal(0, (await Saeunbox.RunAsync(["statistics", "--data", _folder.At("data"), "--saes", _folder.At("saes"), "--site", site,
            "--out", _folder.At("s.json"), "--write-scale", "--threads", "1"])).Code);
        Assert.Equal(0, (await Saeunbox.RunAsync(paint)).Code);
    }

    [Theory]
    [InlineData("saes --to other", "no such layout")]
    [InlineData("saes", "--to")]
    [InlineData("model/unet --to saelens", "no sparse autoencoder")]
    [InlineData("absent --to saelens", "no such file or folder")]
    public async Task Convert_UnusableSource_IsOneLine(string words, string told)
    {
        var all = words.Split(' ');
        Assert.Contains(told, await Saeunbox.FailAsync(
            ["convert", Goldens.At(all[0].Split('/')), _folder.At("to"), .. all[1..]]));
    }

    public void Dispose() => _folder.Dispose();
}
