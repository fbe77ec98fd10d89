using SaeUnbox.Testing;

namespace SaeUnbox.Cli.Tests.Lab;

public sealed class EvaluateTableTests : IDisposable
{
    private static readonly string[] Tiny = ["--pictures", "3", "--scenes", "2", "--tuning", "1", "--element", "night", "--threads", "1"];

    private readonly TemporaryFolder _folder = new();

    [Fact]
    public async Task Evaluate_UnboxMini_GivesTheWholeTableTwiceAlike()
    {
        // The dictionaries that ship, as the second set: a perfect match.
        string[] words = ["evaluate", .. Tiny, "--site", "down.2.1", "--second", EmbeddedModel.SaeFolder];

        var report = (await Saeunbox.SucceedAsync([.. words, "--out", _folder.At("one"), "--json"])).Json;

        Assert.Equal("down.2.1", report.GetProperty("fit")[0].GetProperty("site").GetString());
        Assert.InRange(report.GetProperty("fit")[0].GetProperty("explainedVariancePooled").GetDouble(), 0.9, 1);
        Assert.InRange(report.GetProperty("reconstruction")[0].GetProperty("psnr").GetDouble(), 20, 80);
        Assert.Equal(1, report.GetProperty("stability")[0].GetProperty("figures").GetProperty("matchedCosine").GetDouble(), 1e-4);
        var night = Assert.Single(report.GetProperty("elements").EnumerateArray());
        Assert.Equal(["feature", "concept", "difference of means", "neuron"],
            night.GetProperty("detection").EnumerateArray().Select(row => row.GetProperty("method").GetString()));
        Assert.Equal(5 + 7, night.GetProperty("steering").GetArrayLength());
        Assert.All(night.GetProperty("steering").EnumerateArray(), row =>
            Assert.InRange(row.GetProperty("figures").GetProperty("success").GetDouble(), 0, 1));
        Assert.Equal(1, report.GetProperty("question").GetProperty("seed").GetInt32());

        var text = (await Saeunbox.SucceedAsync([.. words, "--out", _folder.At("two")])).Output;
        Assert.Contains("missing         LPIPS", text);
        foreach (var file in Directory.GetFiles(_folder.At("one")))
            Assert.Equal(File.ReadAllBytes(file), File.ReadAllBytes(_folder.At("two", Path.GetFileName(file))));
        Assert.True(File.Exists(_folder.At("one", "index.html")));
    }

    [Fact]
    public async Task Evaluate_AnotherModel_MeasuresWhatNeedsNoJudge()
    {
        File.WriteAllLines(_folder.At("captions.txt"), ["a dog", "a boat at sea", "two cats"]);
        TinyClipFolder();
        string[] words = ["evaluate", .. Saeunbox.GoldenModel, "--captions", _folder.At("captions.txt"), "--width", "64", "--height", "64",
            "--steps", "2", "--out", _folder.At("out")];

        var report = (await Saeunbox.SucceedAsync([.. words, "--pictures", "2", "--clip", _folder.At("clip"), "--json"])).Json;

        Assert.Equal(2, report.GetProperty("question").GetProperty("captions").GetInt32());
        Assert.Equal(3 * GoldenUse.Sites.Count, report.GetProperty("fit").GetArrayLength());
        foreach (var row in report.GetProperty("reconstruction").EnumerateArray())
            Assert.All(["clipText", "clipTextPlain", "clipPicture"],
                name => Assert.InRange(row.GetProperty(name).GetDouble(), -1, 1.000001));
        Assert.Equal(["LPIPS", "stability", "detection, success, retention, artefacts and their baselines"],
            report.GetProperty("missing").EnumerateArray().Select(one => one.GetProperty("measure").GetString()));

        Assert.Contains("other options", await Saeunbox.FailAsync([.. words, "--pictures", "3"]));
    }

    [Theory]
    [InlineData("--pictures 0", "--pictures 0")]
    [InlineData("--scenes 0", "--scenes 0")]
    [InlineData("--tuning 0", "--tuning 0")]
    [InlineData("--element unicorn", "unicorn")]
    [InlineData("--judge nobody", "nobody")]
    [InlineData("--second nowhere", "nowhere")]
    [InlineData("--clip nowhere", "nowhere")]
    [InlineData("--site down.0.0", "down.0.0")]
    [InlineData("--width 64 --height 64", "512 x 512")]
    [InlineData("--seed 9999999999", "--seed 9999999999")]
    [InlineData("--top 3", "--top: it is for one picture")]
    [InlineData("--edit mid.0:1:1", "--edit: it is for one picture")]
    [InlineData("--prompt dog --scenes 3", "--scenes: it is for many captions")]
    [InlineData("--judge none --element snow", "--judge scenes")]
    public async Task Evaluate_InvalidInput_SaysSoAndLeavesNothing(string words, string named)
    {
        Assert.Contains(named, await Saeunbox.FailAsync(["evaluate", .. words.Split(' '), "--out", _folder.At("out")]));
        Assert.False(Directory.Exists(_folder.At("out")));
    }

    [Fact]
    public async Task Evaluate_AnotherModelWithoutCaptions_AsksForThem() =>
        Assert.Contains("--captions FILE", await Saeunbox.FailAsync(["evaluate", .. Saeunbox.GoldenModel, "--out", _folder.At("out")]));

    public void Dispose() => _folder.Dispose();

    private void TinyClipFolder()
    {
        using var scope = TorchSharp.torch.NewDisposeScope();
        TinyClip.Write(_folder.At("clip"));
    }
}
