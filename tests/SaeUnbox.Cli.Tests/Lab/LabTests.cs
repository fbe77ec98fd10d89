using System.Diagnostics;
using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Cli.Tests.Lab;

/// <summary>The whole path from captions to a picture painted with newly trained features.</summary>
public sealed class LabTests : IDisposable
{
    private static readonly string[] Train =
        ["train-sae", "--site", "mid.0", "--k", "2", "--features", "24", "--batch", "16", "--threads", "1"];

    private readonly TemporaryFolder _folder = new();

    [Fact]
    public async Task CollectTrainMeasure_TinyModel_GivesAutoencodersThatPaint()
    {
        await Done(["collect", .. Collect("data", 6)]);
        await Done(["train-sae", "--data", _folder.At("data"), "--out", _folder.At("saes"), "--k", "2,3", "--features", "24", "--auxk", "8",
            "--batch", "32", "--steps", "8",
            "--lr", "0.003", "--log-every", "1", "--threads", "1"]);
        Assert.Equal(2 * 2, Directory.GetDirectories(_folder.At("saes")).Length);
        foreach (var trained in Directory.GetDirectories(_folder.At("saes")))
        {
            foreach (var file in (string[])["final/state_dict.pth", "final/config.json", "final/mean.pt", "final/std.pt", "training.svg"])
                Assert.True(File.Exists(Path.Combine(trained, file)), file);
            Assert.Equal(1 + 8, File.ReadAllLines(Path.Combine(trained, "log.csv")).Length);
        }

        string[] chosen = ["--saes", _folder.At("saes"), "--sae-variant", "k2_hidden24", "--threads", "1"];
        await Done([
            "statistics",
            "--data",
            _folder.At("data"),
            .. chosen,
            "--out",
            _folder.At("statistics.json"),
            "--neighbours",
            "2",
            "--write-scale"
        ]);
        using var json = System.Text.Json.JsonDocument.Parse(File.ReadAllBytes(_folder.At("statistics.json")));
        var site = json.RootElement.GetProperty("sites").GetProperty("mid.0");
        Assert.Equal(ActivationCollection.Open(_folder.At("data"), Site.Middle).Rows, site.GetProperty("positions").GetInt64());
        Assert.Equal(24, site.GetProperty("frequency").GetArrayLength());
        foreach (var other in (string[])["mid.0", "up.0.1"])
            Assert.Equal(2, site.GetProperty("neighbours").GetProperty(other)[23].GetArrayLength());
        var means = site.GetProperty("mean").EnumerateArray().Select(mean => mean.GetSingle()).ToArray();
        using (var set = SaeSet.Load(_folder.At("saes"), variant: "k2_hidden24"))
            Assert.Equal(means, set[Site.Middle].Scale!.Mean);

        string[] picture = ["--model", Goldens.At("model"), "--prompt", "x", "--steps", "1", "--width", "64", "--height", "64"];
        await Done(["generate", .. picture, .. chosen, "--out", _folder.At("plain.png")]);
        await Done([
            "generate",
            .. picture,
            .. chosen,
            "--out",
            _folder.At("painted.png"),
            "--edit",
            $"mid.0:{Array.IndexOf(means, means.Max())}:30"
        ]);
        Assert.NotEqual(Pixels("plain.png"), Pixels("painted.png"));
    }

    [Fact]
    public async Task Collect_KilledAndRestarted_WritesTheSameFiles()
    {
        await Done(["collect", .. Collect("whole", 12), "--shard", "3"]);
        using (var process = Process.Start(new ProcessStartInfo("dotnet",
            [
                typeof(CommandLine).Assembly.Location,
                "collect",
                .. Collect("killed", 12),
                "--shard",
                "3"
            ])
        { RedirectStandardError = true, RedirectStandardOutput = true })!)
        {
            while (!process.HasExited
                && !(Directory.Exists(_folder.At("killed", "up.0.1"))
                    && Directory.GetFiles(_folder.At("killed", "up.0.1"), "items-*").Length > 0))
                await Task.Delay(5);
            process.Kill();
            await process.WaitForExitAsync();
        }
        await Done(["collect", .. Collect("killed", 12), "--shard", "3"]);
        foreach (var site in (Site[])[Site.Middle, Site.Style])
            CheckSame(site);

        void CheckSame(Site site)
        {
            using var scope = NewDisposeScope();
            var (whole, again) =
                (ActivationCollection.Open(_folder.At("whole"), site), ActivationCollection.Open(_folder.At("killed"), site));
            Assert.Equal(whole.Shards.Select(shard => (shard.First, shard.End)), again.Shards.Select(shard => (shard.First, shard.End)));
            foreach (var (a, b) in whole.Shards.Zip(again.Shards))
                TensorAssert.Same(a.ReadRows(), b.ReadRows());
        }
    }

    [Fact]
    public async Task TrainSae_KilledAndRestarted_WritesTheSameFiles()
    {
        await Done(["collect", .. Collect("data", 3)]);
        string[] train = [.. Train, "--data", _folder.At("data"), "--auxk", "8", "--steps", "600"];
        await Done([.. train, "--out", _folder.At("whole")]);
        using (var process = Process.Start(new ProcessStartInfo("dotnet",
            [
                typeof(CommandLine).Assembly.Location,
                .. train,
                "--save-every",
                "1",
                "--out",
                _folder.At("killed")
            ])
        { RedirectStandardError = true, RedirectStandardOutput = true })!)
        {
            while (!process.HasExited && !File.Exists(_folder.At("killed", "mid.0.training.safetensors")))
                await Task.Delay(5);
            process.Kill();
            await process.WaitForExitAsync();
        }
        Assert.Empty(Directory.GetDirectories(_folder.At("killed"), "final", SearchOption.AllDirectories));
        await Done([.. train, "--out", _folder.At("killed")]);

        foreach (var file in (string[])["final/state_dict.pth", "final/mean.pt", "log.csv"])
            Assert.Equal(Written("whole", file), Written("killed", file));

        byte[] Written(string name, string file) =>
            File.ReadAllBytes(Path.Combine(Directory.GetDirectories(_folder.At(name)).Single(), file));
    }

    [Fact]
    public async Task Collect_BudgetSpent_StopsAndReportsProgress()
    {
        var use = await Saeunbox.RunAsync(["collect", .. Collect("data", 6), "--shard", "1", "--budget", "6KB", "--json"]);
        Assert.Equal(0, use.Code);
        Assert.Contains("the budget of 6KB is spent", use.Error);
        Assert.True(use.Json.GetProperty("full").GetBoolean());
        Assert.InRange(use.Json.GetProperty("items").GetInt64(), 1, 5);
        Assert.InRange(use.Json.GetProperty("bytes").GetInt64(), 1, 6_000);
    }

    [Fact]
    public async Task TrainSae_Interrupted_SaysHowToContinueAndDoes()
    {
        await Done(["collect", .. Collect("data", 3)]);
        string[] train =
        [
            .. Train, "--data", _folder.At("data"), "--out", _folder.At("saes"), "--auxk", "none", "--epochs", "1",
            "--variant", "batchtopk", "--nested", "8",
        ];
        using var cancellation = new CancellationTokenSource();
        cancellation.Cancel();
        var stopped = await Saeunbox.RunAsync(train, cancellation.Token);
        Assert.NotEqual(0, stopped.Code);
        Assert.Empty(Directory.Exists(_folder.At("saes"))
            ? Directory.GetFiles(_folder.At("saes"), "mean.pt", SearchOption.AllDirectories)
            : []);
        await Done(train);
        Assert.Contains("_batchtopk_nested8-24", Path.GetFileName(Directory.GetDirectories(_folder.At("saes")).Single()));
    }

    [Fact]
    public async Task TrainSae_FromATrainedOne_StartsWithItsWeights()
    {
        await Done(["collect", .. Collect("data", 3)]);
        string[] train = [.. Train, "--data", _folder.At("data"), "--auxk", "none", "--log-every", "1"];
        await Done([.. train, "--out", _folder.At("first"), "--steps", "60", "--lr", "0.003"]);
        await Done([.. train, "--out", _folder.At("second"), "--steps", "2", "--from", _folder.At("first")]);

        var (first, second) = (Losses("first"), Losses("second"));
        Assert.True(second[0] < (first[0] + first[^1]) / 2, $"{first[0]} … {first[^1]}, then {second[0]}");

        double[] Losses(string name) => [.. File.ReadAllLines(Directory.GetFiles(_folder.At(name), "log.csv", SearchOption.AllDirectories)
            .Single()) is var lines
            ? lines[1..].Select(line => double.Parse(line.Split(',')[Array.IndexOf(lines[0].Split(','), "reconstruction")],
                System.Globalization.CultureInfo.InvariantCulture))
                : []];
    }

    /// <summary>
    /// Invalid commands. DATA is a collection, CUT one with a truncated shard, NARROW one with few channels, FILES a folder of files.
    /// </summary>
    [Theory]
    [InlineData("collect --model GOLDENS/model --out OUT/x", "--captions FILE or --mini-captions N")]
    [InlineData("collect --model GOLDENS/model --out OUT/x --captions FILES/no.txt", "is missing")]
    [InlineData("collect --model GOLDENS/model --out OUT/x --captions FILES/broken.txt", "line 2: not valid UTF-8")]
    [InlineData("collect --model GOLDENS/model --out OUT/x --mini-captions 2 --site up.9.9", "no site up.9.9")]
    [InlineData("collect --model GOLDENS/model --out OUT/x --mini-captions 2 --site middle", "--site middle")]
    [InlineData("collect --model GOLDENS/model --out OUT/x --mini-captions 2 --size 63", "--size 63")]
    [InlineData("collect --model GOLDENS/model --out OUT/x --mini-captions 2 --budget lots", "--budget lots")]
    [InlineData("collect --model GOLDENS/model --out OUT/x --mini-captions 2 --workers 3/2", "--workers 3/2")]
    [InlineData("collect --model GOLDENS/model --out OUT/x --mini-captions 2 --steps 0", "0 steps")]
    [InlineData("collect --model GOLDENS/model --out OUT/x --mini-captions 0", "--mini-captions 0")]
    [InlineData("collect --model GOLDENS/model --out FILES/broken.txt --mini-captions 2", "that is a file")]
    [InlineData("train-sae --data OUT/no --out OUT/x", "--data OUT/no")]
    [InlineData("train-sae --data FILES --out OUT/x", "no activations")]
    [InlineData("train-sae --data DATA --site up.0.0 --out OUT/x", "no activations of up.0.0")]
    [InlineData("train-sae --data CUT --out OUT/x", "CUT/mid.0/items-")]
    [InlineData("train-sae --data DATA --out OUT/x --k 0", "--k 0")]
    [InlineData("train-sae --data DATA --out OUT/x --variant jumprelu", "--variant jumprelu")]
    [InlineData("train-sae --data DATA --out OUT/x --lr -1", "LearningRate")]
    [InlineData("train-sae --data DATA --out OUT/x --steps 1 --epochs 1", "either --steps or --epochs")]
    [InlineData("train-sae --data DATA --out OUT/x --k 30 --features 20", "it must be 1 to")]
    [InlineData("train-sae --data DATA --out OUT/x --from OUT/no", "--from OUT/no")]
    [InlineData("train-sae --data DATA --out OUT/x --from GOLDENS/saes", "k10_hidden5120")]
    [InlineData("statistics --data OUT/no --saes GOLDENS/saes --out OUT/x.json", "--data OUT/no")]
    [InlineData("statistics --data NARROW --saes GOLDENS/saes --site mid.0 --out OUT/x.json", "channels")]
    [InlineData("statistics --data DATA --saes FILES --out OUT/x.json", "no sparse autoencoder")]
    [InlineData("statistics --data DATA --saes GOLDENS/saes --site mid.0 --out OUT/no/x.json", "is missing")]
    public async Task Run_InvalidUse_IsOneLineAndLeavesNothing(string words, string expected)
    {
        var (files, output) =
            (Directory.CreateDirectory(_folder.At("files")).FullName, Directory.CreateDirectory(_folder.At("out")).FullName);
        File.WriteAllBytes(Path.Combine(files, "broken.txt"), [(byte)'a', (byte)'\n', 0xff, (byte)'\n']);
        Make("data", 40);
        Make("narrow", 3);
        Make("cut", 40);
        var shard = Directory.GetFiles(_folder.At("cut", "mid.0")).Single();
        File.WriteAllBytes(shard, File.ReadAllBytes(shard)[..^7]);
        string Fill(string text) => text.Replace("OUT", output).Replace("FILES", files).Replace("GOLDENS", Goldens.Root)
            .Replace("DATA", _folder.At("data")).Replace("NARROW", _folder.At("narrow")).Replace("CUT", _folder.At("cut"));

        Assert.Contains(Fill(expected), await Saeunbox.FailAsync([.. Fill(words).Split(' ')]));
        Assert.Empty(Directory.GetFiles(output, "*", SearchOption.AllDirectories));
    }

    public void Dispose() => _folder.Dispose();

    private static async Task Done(IReadOnlyList<string> words)
    {
        var use = await Saeunbox.RunAsync(words);
        Assert.True(use.Code == 0, use.Error);
    }

    private string[] Collect(string data, int captions)
    {
        File.WriteAllLines(_folder.At("captions.txt"), Enumerable.Range(0, captions).Select(i => $"scene {i}"));
        return [
            "--model",
            Goldens.At("model"),
            "--captions",
            _folder.At("captions.txt"),
            "--site",
            "mid.0",
            "--site",
            "up.0.1",
            "--out",
            _folder.At(data),
            "--steps",
            "1",
            "--size",
            "128",
            "--threads",
            "1"
        ];
    }

    private void Make(string data, int width)
    {
        using var scope = NewDisposeScope();
        using var writer = new CollectionWriter(_folder.At(data), [Site.Middle]);
        for (var item = 0; item < 3; item++)
            writer.Add(item, new Dictionary<Site, Tensor> { [Site.Middle] = randn([2, 2, width]) });
        writer.Complete();
    }

    private byte[] Pixels(string name) => [.. Core.Picture.Decode(File.ReadAllBytes(_folder.At(name))).Pixels];
}
