using System.Text.Json;
using SaeUnbox.Testing;

namespace SaeUnbox.Cli.Tests.Lab;

public sealed class StepsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly string[] _words =
        ["steps", .. Saeunbox.GoldenModel, "--prompt", "a dog", "--width", "64", "--height", "64", "--steps", "3"];

    [Fact]
    public async Task Steps_OfAnEdit_GivesCurvesAndTheBestWindow()
    {
        var strongest = (await Saeunbox.SucceedAsync([.. _words, "--top", "1", "--out", _folder.At("out"), "--json"])).Json
            .GetProperty("curves")[0].GetProperty("name").GetString()!;

        var use = await Saeunbox.SucceedAsync([
            .. _words, "--edit", $"{strongest}:-1:scale", "--parts", "3", "--out", _folder.At("out"), "--json"]);

        var curve = Assert.Single(use.Json.GetProperty("curves").EnumerateArray());
        Assert.Equal($"{strongest}:-1:scale", curve.GetProperty("name").GetString());
        Assert.Equal([0, 1, 2], curve.GetProperty("activations").EnumerateArray().Select(at => at.GetProperty("step").GetInt32()));
        Assert.Equal(6, curve.GetProperty("windows").GetArrayLength());
        var best = curve.GetProperty("best");
        Assert.Contains(curve.GetProperty("windows").EnumerateArray(), window => JsonElement.DeepEquals(window, best));
        Assert.Equal(7, File.ReadAllLines(_folder.At("out", "windows.csv")).Length);
        Assert.Equal("name,site,step,mean,share,explained_variance", File.ReadAllLines(_folder.At("out", "activations.csv"))[0]);
    }

    [Fact]
    public async Task Steps_WithoutEdits_FollowsTheStrongestFeatures()
    {
        var use = await Saeunbox.SucceedAsync([.. _words, "--top", "2", "--out", _folder.At("out")]);

        Assert.Equal(2 * GoldenUse.Sites.Count, use.Output.Split('\n').Count(line => line.Contains("share by step")));
        Assert.Single(File.ReadAllLines(_folder.At("out", "windows.csv")));
        Assert.Equal(1 + (2 * 3 * GoldenUse.Sites.Count), File.ReadAllLines(_folder.At("out", "activations.csv")).Length);
    }

    [Theory]
    [InlineData("--parts 0", "--parts 0")]
    [InlineData("--edit mid.0:99999999:1", "99999999")]
    [InlineData("--edit concept:dog:1", "no concept 'dog'")]
    public async Task Steps_InvalidInput_SaysSoAndLeavesNothing(string words, string named)
    {
        Assert.Contains(named, await Saeunbox.FailAsync([.. _words, .. words.Split(' '), "--out", _folder.At("out")]));
        Assert.False(Directory.Exists(_folder.At("out")));
    }

    public void Dispose() => _folder.Dispose();
}
