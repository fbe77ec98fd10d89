using System.Text.Json;
using SaeUnbox.Testing;
using TorchSharp;

namespace SaeUnbox.Cli.Tests;

public sealed class BenchTests
{
    [Theory]
    [InlineData("fp32")]
    [InlineData("bf16")]
    [InlineData("int8")]
    public async Task Bench_TinyModel_ComparesEachPartWithAProduct(string dtype)
    {
        var use = await Saeunbox.SucceedAsync(
            "bench", "--model", Goldens.At("model"), "--dtype", dtype, "--threads", "1", "--processor-time", "--size", "64", "--repeats",
            "1",
            "--part", "text_encoder", "--part", "unet", "--part", "vae", "--json");
        Assert.Equal("processor", use.Json.GetProperty("clock").GetString());
        var parts = use.Json.GetProperty("parts").EnumerateArray().ToDictionary(part => part.GetProperty("part").GetString()!);
        Assert.Equal(
            [
                "load text_encoder",
                "text_encoder",
                "load unet",
                "unet",
                .. GoldenUse.Sites.Select(site => $"resume {site}"),
                "load vae",
                "decode (kl)",
                "matrix product 2048^3"
            ],
            parts.Keys);
        Assert.True(parts["resume up.0.1"].GetProperty("gflop").GetDouble() < parts["unet"].GetProperty("gflop").GetDouble());
        Assert.All(parts.Where(part => !part.Key.StartsWith("load", StringComparison.Ordinal)), part =>
        {
            Assert.True(part.Value.GetProperty("gflop").GetDouble() > 0, part.Key);
            Assert.True(part.Value.GetProperty("shareOfProduct").GetDouble() > 0, part.Key);
        });
    }

    [Fact]
    public async Task Bench_TinyDecoderBesideTheModel_IsMeasured()
    {
        Assert.False(Directory.Exists(Goldens.At("model", "vae_tiny")));
        var use = await Saeunbox.SucceedAsync("bench", "--model", Goldens.At("model"), "--size", "64", "--threads", "1", "--repeats", "1",
            "--part", "vae_tiny", "--json");
        Assert.Equal(["load vae_tiny", "decode (tiny)", "matrix product 2048^3"],
            use.Json.GetProperty("parts").EnumerateArray().Select(part => part.GetProperty("part").GetString()));
    }

    [Fact]
    public async Task Bench_Compare_ComparesPicturesAndFeaturesWithFp32()
    {
        var use = await Saeunbox.SucceedAsync("bench", "--compare", "--pictures", "3", "--runs", "1", "--threads", "1", "--json");
        var formats = use.Json.GetProperty("formats").EnumerateArray().ToArray();
        Assert.Equal(["fp32", "bf16", "int8"], formats.Select(format => format.GetProperty("format").GetString()));
        Assert.Equal(JsonValueKind.Null, formats[0].GetProperty("psnr").ValueKind);
        Assert.All(formats[0].GetProperty("sites").EnumerateArray(),
            site => Assert.Equal(1, site.GetProperty("topFeaturesAlike").GetDouble()));
        Assert.All(formats[1..], format => Assert.InRange(format.GetProperty("psnr").GetDouble(), 30, 80));
    }

    [Fact]
    public async Task Bench_CompareArchitectureParts_PrintsTheirDifference()
    {
        var use = await Saeunbox.SucceedAsync("bench", "--compare", "--architecture", "sd-1.5", "--part", "vae_tiny", "--part",
            "text_encoder",
            "--size", "64", "--repeats", "1", "--json");
        var formats = use.Json.EnumerateArray().ToArray();
        Assert.Equal(["fp32", "bf16", "int8"], formats.Select(format => format.GetProperty("dtype").GetString()));
        var text = formats.Select(format => format.GetProperty("parts").EnumerateArray()
            .Single(part => part.GetProperty("part").GetString() == "text_encoder")).ToArray();
        Assert.False(text[0].TryGetProperty("difference", out _));
        Assert.All(text[1..], part => Assert.InRange(part.GetProperty("difference").GetDouble(), 1e-4, .1));
    }

    [Fact]
    public async Task Bench_Lab_CountsPicturesAndSteps()
    {
        string[] words = ["bench", "--lab", "--model", Goldens.At("model"), "--sae", "16,32,4,64", "--repeats", "1", "--threads", "1"];
        var rows = (await Saeunbox.SucceedAsync([.. words, "--json"])).Json.EnumerateArray().ToArray();

        Assert.Equal([("pictures", 32), ("steps", 4)],
            rows.Select(row => (row.GetProperty("unit").GetString(), row.GetProperty("count").GetInt32())));
        foreach (var row in rows)
        {
            Assert.Equal(row.GetProperty("count").GetInt32() / row.GetProperty("seconds").GetDouble(),
                row.GetProperty("perSecond").GetDouble(), 6);
            Assert.True(row.GetProperty("peakBytes").GetInt64() > 0);
        }
        Assert.Contains("16 x 32, batch 64", (await Saeunbox.SucceedAsync(words)).Output);
    }

    [Fact]
    public async Task Bench_Loading_ReportsPeakMemory()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "peaks are forgotten on Linux only");
        string[] words = [
            "bench",
            "--model",
            EmbeddedModel.ModelFolder,
            "--size",
            "64",
            "--threads",
            "1",
            "--repeats",
            "1",
            "--part",
            "text_encoder"
        ];
        var use = await Saeunbox.SucceedAsync([.. words, "--json"]);
        var loading = use.Json.GetProperty("parts").EnumerateArray().Single(part => part.TryGetProperty("weightBytes", out _));

        Assert.Equal("load text_encoder", loading.GetProperty("part").GetString());
        var (size, peak) = (loading.GetProperty("weightBytes").GetInt64(), loading.GetProperty("peakBytes").GetInt64());
        Assert.InRange(size, 1, new FileInfo(Path.Combine(EmbeddedModel.ModelFolder, "text_encoder", "model.safetensors")).Length * 4);
        Assert.Equal((double)peak / size, loading.GetProperty("peakPerSize").GetDouble(), 9);

        Assert.Contains("peak/size", (await Saeunbox.SucceedAsync(words)).Output);
    }

    [Fact]
    public void PeakMemory_TemporaryBlock_IsItsSizeAndIsReset()
    {
        const int Size = 256 << 20;
        var memory = new PeakMemory();
        using (var block = torch.ones([Size], dtype: torch.ScalarType.Byte))
            Assert.Equal(Size, block.numel());
        Assert.InRange(memory.Growth!.Value, Size * 3L / 4, Size * 4L);
        Assert.InRange(PeakMemory.OfProcess, Size * 3L / 4, long.MaxValue);

        if (new PeakMemory().Growth is { } afterwards)
            Assert.InRange(afterwards, 0, Size / 2);
    }

    [Fact]
    public async Task Bench_ShippedModel_TimesItsParts()
    {
        var use = await Saeunbox.SucceedAsync("bench", "--model", EmbeddedModel.ModelFolder, "--size", "512", "--threads", "1",
            "--processor-time", "--repeats", "1", "--part", "unet", "--part", "vae", "--json");
        var parts = use.Json
            .GetProperty("parts")
            .EnumerateArray()
            .ToDictionary(part => part.GetProperty("part").GetString()!, part => part.GetProperty("gflop").GetDouble());

        // The default latents of 64 x 64. The decoder's operations are counted as they run.
        Assert.InRange(parts["unet"], 1, 4);
        Assert.InRange(parts["decode (tiny)"], 1, 3);
        Assert.DoesNotContain("decode (kl)", parts.Keys);
    }

    [Fact]
    public async Task Bench_RunsOfTheShippedModel_TimeARunAndAnEditAtEachSite()
    {
        var use = await Saeunbox.SucceedAsync("bench", "--runs", "1", "--threads", "1", "--json");
        var rows = use.Json.GetProperty("milliseconds").EnumerateArray().ToArray();

        Assert.Equal(["whole run", .. GoldenUse.Sites.Select(site => $"edit at {site}")],
            rows.Select(row => row.GetProperty("what").GetString()));
        Assert.All(rows, row => Assert.True(row.GetProperty("p50").GetDouble() > 0));
    }

    [Fact]
    public async Task Bench_SparseAutoencoder_ComparesAStepWithAProduct()
    {
        var use = await Saeunbox.SucceedAsync("bench", "--sae", "64,256,4,128", "--threads", "1", "--processor-time", "--repeats", "1",
            "--json");
        var step = use.Json.GetProperty("parts").EnumerateArray().Single(part => part.GetProperty("part").GetString() == "sae step");
        Assert.Equal(2 * 128 * 64 * (256 + 4 * 4) / 1e9, step.GetProperty("gflop").GetDouble(), 9);
        Assert.True(step.GetProperty("shareOfProduct").GetDouble() > 0);

        Assert.Contains("four numbers", await Saeunbox.FailAsync("bench", "--sae", "64,256"));
    }
}
