using SaeUnbox.Testing;

namespace SaeUnbox.Cli.Tests.Lab;

public sealed class EvaluateTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly string[] _words = ["evaluate", .. Saeunbox.GoldenModel, "--prompt", "a dog", "--width", "64", "--height", "64"];

    [Fact]
    public async Task Evaluate_TinyModel_WritesTheReportAndItsSheets()
    {
        var site = GoldenUse.Sites[0].Code;
        var use = await Saeunbox.SucceedAsync([
            .. _words,
            "--site",
            site,
            "--top",
            "3",
            "--feature",
            $"{site}:2",
            "--strengths",
            "-5,0,5",
            "--seeds",
            "2",
            "--out",
            _folder.At("out"),
            "--json"
        ]);

        var found = use.Json.GetProperty("sites").GetProperty(site);
        Assert.InRange(found.GetProperty("explainedVariance").GetProperty("perChannel").GetDouble(), -5, 1);
        var features = found.GetProperty("features").EnumerateArray().ToArray();
        Assert.Equal(3, features.Length);
        Assert.Equal(
            features.OrderByDescending(one => one.GetProperty("changeWithout").GetDouble())
                .Select(one => one.GetProperty("feature").GetInt32()), features.Select(one => one.GetProperty("feature").GetInt32()));
        Assert.True(File.Exists(_folder.At("out", "ablation", $"{site}.png")));
        var strengths = Picture.Decode(File.ReadAllBytes(_folder.At("out", "strengths", $"{site}-2.png")));
        Assert.Equal((3 * 64 + 2 * 4, 2 * 64 + 4), (strengths.Width, strengths.Height));
    }

    [Theory]
    [InlineData("--top 0", "--top 0")]
    [InlineData("--strengths 1,x", "1,x")]
    [InlineData("--strengths 41", "-40 to 40")]
    [InlineData("--feature mid.0", "SITE:FEATURE")]
    [InlineData("--feature mid.0:99999999", "99999999")]
    [InlineData("--site down.0.0", "down.0.0")]
    [InlineData("--strength NaN", "strength")]
    [InlineData("--mask nowhere.png", "nowhere.png")]
    public async Task Evaluate_InvalidInput_SaysSoAndLeavesNothing(string words, string named)
    {
        Assert.Contains(named, await Saeunbox.FailAsync([.. _words, .. words.Split(' '), "--out", _folder.At("out")]));
        Assert.False(Directory.Exists(_folder.At("out")));
    }

    public void Dispose() => _folder.Dispose();
}
