namespace SaeUnbox.Cli.Tests.Serving;

public sealed class ServingCommandTests
{
    [Fact]
    public async Task Simulate_Json_HasARowPerNumberAndTheMaximum()
    {
        var use = await Saeunbox.SucceedAsync("simulate", "--service", "30", "--canvases", "1,4", "--seconds", "20", "--target", "100",
            "--json");

        Assert.Equal([1, 4], use.Json.GetProperty("figures").EnumerateArray().Select(line => line.GetProperty("canvases").GetInt32()));
        Assert.True(use.Json.GetProperty("most").GetInt32() >= 1);
    }

    [Fact]
    public async Task Simulate_SeveralDeviceCounts_ReportsTheMostCanvasesOfEach()
    {
        string[] words = ["simulate", "--service", "30", "--seconds", "20", "--pausing", "12000", "--target", "200"];
        var sizes = (await Saeunbox.SucceedAsync([.. words, "--workers", "1,4", "--json"])).Json.GetProperty("sizes");

        Assert.Equal([1, 4], sizes.EnumerateArray().Select(size => size.GetProperty("workers").GetInt32()));
        foreach (var size in sizes.EnumerateArray())
        {
            var one =
                (await Saeunbox.SucceedAsync([.. words, "--workers", $"{size.GetProperty("workers")}", "--canvases", "1", "--json"])).Json;
            Assert.Equal(one.GetProperty("most").GetInt32(), size.GetProperty("figures").GetProperty("canvases").GetInt32());
            Assert.InRange(size.GetProperty("figures").GetProperty("p95").GetDouble(), 1, 200);
        }
    }

    [Theory]
    [InlineData("--workers 1,2", "--target")]
    [InlineData("--service 0", "--service 0")]
    [InlineData("--service 50 --service-p95 40", "--service-p95 40")]
    [InlineData("--workers 0", "--workers 0")]
    [InlineData("--canvases 1,x", "1,x")]
    [InlineData("--canvases 1000000", "1000000")]
    [InlineData("--target -1", "--target -1")]
    [InlineData("--seconds -2", "--seconds -2")]
    public async Task Simulate_InvalidOption_NamesIt(string words, string named) =>
        Assert.Contains(named, await Saeunbox.FailAsync(["simulate", .. words.Split(' ')]));

    [Fact]
    public async Task Bench_Serving_CountsPicturesPerCanvas()
    {
        var use = await Saeunbox.SucceedAsync([
            "bench",
            "--serving",
            .. Saeunbox.GoldenModel,
            "--canvases",
            "1,3",
            "--seconds",
            "0.2",
            "--json"
        ]);

        Assert.Equal([1, 3], use.Json.EnumerateArray().Select(line => line.GetProperty("canvases").GetInt32()));
        Assert.All(use.Json.EnumerateArray(),
            line => Assert.True(line.GetProperty("jobsPerSecond").GetDouble() > 0
                && line.GetProperty("p95").GetDouble() >= line.GetProperty("p50").GetDouble()));
    }

    [Fact]
    public async Task Bench_ServingBesideAGreedyClient_ComparesItWithAlone()
    {
        var use = await Saeunbox.SucceedAsync(
            ["bench", "--serving", .. Saeunbox.GoldenModel, "--beside", "3", "--seconds", "0.2", "--json"]);

        var figures = use.Json.GetProperty("inProcess");
        Assert.True(figures.GetProperty("p95Ratio").GetDouble() > 0);
        Assert.True(figures.GetProperty("beside").GetProperty("jobsPerSecond").GetDouble() > 0);
    }

    [Fact]
    public async Task Bench_ServingWithoutAModel_IsRefused() =>
        Assert.Contains("not a model folder", await Saeunbox.FailAsync("bench", "--serving", "--model", Path.GetTempPath()));
}
