using SaeUnbox.Inference;
using SaeUnbox.Testing;

namespace SaeUnbox.Cli.Tests;

public sealed class BenchTests
{
    [Theory]
    [InlineData("fp32")]
    [InlineData("bf16")]
    public async Task Bench_TinyModel_TellsEveryPartBesideTheProduct(string dtype)
    {
        var use = await Saeunbox.SucceedAsync(
            "bench", "--model", Goldens.At("model"), "--dtype", dtype, "--threads", "1", "--processor-time", "--size", "64", "--repeats", "1",
            "--part", "text_encoder", "--part", "unet", "--part", "vae", "--json");
        Assert.Equal("processor", use.Json.GetProperty("clock").GetString());
        var parts = use.Json.GetProperty("parts").EnumerateArray().ToDictionary(part => part.GetProperty("part").GetString()!);
        Assert.Equal(
            ["load text_encoder", "text_encoder", "load unet", "unet", .. GoldenUse.Sites.Select(site => $"resume {site}"), "load vae", "decode (kl)", "matrix product 2048^3"],
            parts.Keys);
        Assert.True(parts["resume up.0.1"].GetProperty("gflop").GetDouble() < parts["unet"].GetProperty("gflop").GetDouble());
        Assert.All(parts.Where(part => !part.Key.StartsWith("load", StringComparison.Ordinal)), part =>
        {
            Assert.True(part.Value.GetProperty("gflop").GetDouble() > 0, part.Key);
            Assert.True(part.Value.GetProperty("shareOfProduct").GetDouble() > 0, part.Key);
        });
    }

    [Fact]
    public async Task Bench_OfTheShippedModel_TimesPartsOfOnePictureSize()
    {
        var use = await Saeunbox.SucceedAsync("bench", "--model", EmbeddedModel.ModelFolder, "--size", "256", "--threads", "1", "--processor-time", "--repeats", "1", "--part", "unet", "--part", "vae", "--json");
        var parts = use.Json.GetProperty("parts").EnumerateArray().ToDictionary(part => part.GetProperty("part").GetString()!, part => part.GetProperty("gflop").GetDouble());

        // Latents of 64 x 64, as the model is made for; the decoder's are counted where they are executed.
        Assert.InRange(parts["unet"], 1, 4);
        Assert.InRange(parts["decode (tiny)"], 1, 3);
        Assert.DoesNotContain("decode (kl)", parts.Keys);
    }

    [Fact]
    public async Task Bench_RunsOfTheShippedModel_TimesTheWholeRunAndAnEditAtEverySite()
    {
        var use = await Saeunbox.SucceedAsync("bench", "--runs", "1", "--threads", "1", "--json");
        var rows = use.Json.GetProperty("milliseconds").EnumerateArray().ToArray();

        Assert.Equal(["whole run", .. GoldenUse.Sites.Select(site => $"edit at {site}")], rows.Select(row => row.GetProperty("what").GetString()));
        Assert.All(rows, row => Assert.True(row.GetProperty("p50").GetDouble() > 0));
    }

    [Fact]
    public async Task Bench_OfASparseAutoencoder_TellsAStepBesideTheProduct()
    {
        var use = await Saeunbox.SucceedAsync("bench", "--sae", "64,256,4,128", "--threads", "1", "--processor-time", "--repeats", "1", "--json");
        var step = use.Json.GetProperty("parts").EnumerateArray().Single(part => part.GetProperty("part").GetString() == "sae step");
        Assert.Equal(2 * 128 * 64 * (256 + 4 * 4) / 1e9, step.GetProperty("gflop").GetDouble(), 9);
        Assert.True(step.GetProperty("shareOfProduct").GetDouble() > 0);

        Assert.Contains("four numbers", await Saeunbox.FailAsync("bench", "--sae", "64,256"));
    }
}
