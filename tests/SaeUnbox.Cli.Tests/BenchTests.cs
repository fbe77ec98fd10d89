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
}
