using System.Diagnostics;
using Microsoft.Extensions.Hosting;

namespace SaeUnbox.Serving.Tests;

/// <summary>How much one client that paints without pause slows down ten others, on two workers. tests/soak.sh runs it.</summary>
public sealed class FairnessBenchmark(Broker broker)
{
    private const int Modest = 10, Strokes = 25;
    private const string Stroke = "work 100";
    private static readonly TimeSpan MeanPause = TimeSpan.FromSeconds(2);

    [Fact(Explicit = true)]
    public async Task Paint_TenBesideOneGreedy_WaitAtMostTwiceAsLong()
    {
        await using var cluster = new Cluster(broker);
        IHost[] nodes = [await cluster.NodeAsync("web1"), await cluster.NodeAsync("web2")];
        cluster.WorkerProcess("worker1");
        cluster.WorkerProcess("worker2");
        foreach (var node in nodes)
            await node.WorkersAsync(2);
        await PaintAsync(nodes[0], "first", 5, TimeSpan.Zero); // all is compiled, all queues are made

        var before = await PaintAsync(nodes[0], "alone", 2 * Strokes, TimeSpan.Zero);
        using var ending = new CancellationTokenSource();
        var greedy = Task.Run(async () =>
        {
            for (; !ending.IsCancellationRequested; await Task.Delay(40))
                await nodes[0].Queue().SubmitAsync(Jobs.Live(Stroke, "greedy"));
        });
        var modest = (await Task.WhenAll(Enumerable.Range(0, Modest)
            .Select(i => PaintAsync(nodes[i % 2], $"modest{i}", Strokes, MeanPause)))).SelectMany(times => times)
            .ToList();
        await ending.CancelAsync();
        await greedy;
        var alone = before.Concat(await PaintAsync(nodes[0], "alone", 2 * Strokes, TimeSpan.Zero)).ToList();

        TestContext.Current.TestOutputHelper?.WriteLine(FormattableString.Invariant($"""
            fairness: alone p50 {At(alone, .5):0} ms, p95 {At(alone, .95):0} ms; each of ten beside a greedy one
            p50 {At(modest, .5):0} ms, p95 {At(modest, .95):0} ms: {At(modest, .95) / At(alone, .95):0.00} times
            """));
        Assert.True(At(modest, .95) <= 2 * At(alone, .95), $"p95 {At(modest, .95):0} ms beside {At(alone, .95):0} ms alone");
    }

    private static async Task<List<double>> PaintAsync(IHost node, string canvas, int strokes, TimeSpan meanPause)
    {
        var random = new Random(canvas.Sum(letter => letter));
        var times = new List<double>();
        for (var i = 0; i < strokes; i++)
        {
            await Task.Delay(-meanPause * Math.Log(1 - random.NextDouble()));
            var job = Jobs.Live(Stroke, canvas);
            var start = Stopwatch.GetTimestamp();
            await node.Queue().SubmitAsync(job);
            Assert.IsType<GenerationProgress.Completed>(await node.LastAsync(job.Id));
            times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        }
        return times;
    }

    private static double At(List<double> times, double share) => times.Order().ElementAt((int)(share * (times.Count - 1)));
}
