using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;
using Microsoft.Extensions.Hosting;

namespace SaeUnbox.Serving.Tests;

/// <summary>
/// Workers and the broker are killed at random while one paints alone, and then while modest painters share the workers with a greedy
/// client that has many canvases and batch jobs.
/// </summary>
public sealed class ChaosTests(Broker broker)
{
    private const int Workers = 3, GreedyAtOnce = 40, GreedyCanvases = 24, Modest = 4, LeastStrokes = 50;
    private const string Work = "work 100";
    private static readonly TimeSpan MeanPause = TimeSpan.FromMilliseconds(200), LongestWait = TimeSpan.FromMinutes(10);

    private readonly ConcurrentDictionary<Guid, string> _completed = new(), _superseded = new();
    private readonly ConcurrentQueue<string> _lost = new(), _twice = new();
    private int _made, _refused, _ended, _killedWorkers, _killedBrokers;

    // tests/soak.sh sets a larger number.
    private static int LeastJobs =>
        int.Parse(Environment.GetEnvironmentVariable("SAEUNBOX_SOAK_JOBS") ?? "200", CultureInfo.InvariantCulture);

    [Fact]
    public async Task Submit_WorkersAndBrokerKilled_AnswersEveryJobOnce()
    {
        // Long enough for the broker to start on a busy machine.
        await using var cluster = new Cluster(broker).With("SubmitTimeout", "00:01:00").With("LiveTimeToLive", "01:00:00");
        IHost[] nodes = [await cluster.NodeAsync("web1"), await cluster.NodeAsync("web2")];
        var workers = Enumerable.Range(0, Workers).Select(i => cluster.WorkerProcess($"worker{i}")).ToArray();
        await nodes[0].WorkersAsync(Workers);
        await nodes[1].WorkersAsync(Workers);
        var seed = Environment.TickCount;
        using var meters = CountEnds();
        using var ending = new CancellationTokenSource();
        var start = Stopwatch.GetTimestamp();
        var kills = KillAsync(cluster, nodes[0], workers, new Random(seed), ending.Token);

        var strokes = Math.Max(LeastStrokes, LeastJobs / 10);
        var alone = await PaintAsync(nodes[0], "alone", times => times.Count < strokes);
        var greedy = Parallel.ForEachAsync(UntilBothAreKilled(), new ParallelOptions { MaxDegreeOfParallelism = GreedyAtOnce },
            async (i, _) => await RunAsync(nodes[0], GreedyJob(i)));
        var modest = (await Task.WhenAll(Enumerable.Range(0, Modest).Select(i => PaintAsync(nodes[i % 2], $"modest{i}",
            times => times.Count < LeastStrokes || !greedy.IsCompleted)))).SelectMany(times => times).ToList();
        await greedy;
        await ending.CancelAsync();
        await kills;

        var ends = Volatile.Read(ref _ended) - _made - _refused;
        if (ends > 0)
            _twice.Enqueue($"{ends} more ends than jobs were reported");
        TestContext.Current.TestOutputHelper?.WriteLine(FormattableString.Invariant($"""
            soak: {_made} jobs, {_superseded.Count} of them superseded, {_killedWorkers} workers and {_killedBrokers} brokers killed,
            {_refused} times refused, in {Stopwatch.GetElapsedTime(start):hh\:mm\:ss} (seed {seed})
            soak: {_lost.Count} lost, {_twice.Count} answered twice
            soak: one alone waits p50 {At(alone, .5):0} ms, p95 {At(alone, .95):0} ms ({alone.Count} strokes); each of {Modest} modest ones
            beside a greedy client p50 {At(modest, .5):0} ms, p95 {At(modest, .95):0} ms ({modest.Count} strokes)
            soak: p95 {At(modest, .95) / At(alone, .95):0.00} times alone (the goal is 2.5)
            """));
        Assert.Empty(_lost);
        Assert.Empty(_twice);
        Assert.Equal(_made, _completed.Count + _superseded.Count);
        Assert.Superset(_superseded.Values.ToHashSet(), _completed.Values.ToHashSet());
    }

    private static GenerationJob GreedyJob(int i) =>
        (i % 4 == 0 ? Jobs.Batch(Work) : Jobs.Live(Work, $"greedy{i % GreedyCanvases}")) with { Client = "greedy" };

    // Strokes one after the other; returns how long each took, in milliseconds.
    private async Task<List<double>> PaintAsync(IHost node, string name, Func<List<double>, bool> goesOn)
    {
        var (random, times) = (new Random(name.Sum(letter => letter)), new List<double>());
        while (goesOn(times))
        {
            await Task.Delay(-MeanPause * Math.Log(1 - random.NextDouble()));
            Interlocked.Increment(ref _made);
            var start = Stopwatch.GetTimestamp();
            await RunAsync(node, Jobs.Live(Work, name) with { Client = name });
            times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        }
        return times;
    }

    private async Task RunAsync(IHost node, GenerationJob job)
    {
        var isShared = job.Canvas?.StartsWith("greedy", StringComparison.Ordinal) == true;
        while (!await TrySubmitAsync(node, job))
            Interlocked.Increment(ref _refused);
        using var patience = new CancellationTokenSource(LongestWait);
        try
        {
            await foreach (var progress in node.Queue().WatchAsync(job.Id, patience.Token))
                switch (progress)
                {
                    case GenerationProgress.Completed { Result: var result }:
                        Assert.Equal(job.Recipe.ContentHash(), Encoding.UTF8.GetString(result.Picture.Span));
                        if (!_completed.TryAdd(job.Id, job.Canvas ?? ""))
                            _twice.Enqueue($"{job.Id} was completed twice");
                        break;
                    case GenerationProgress.Superseded when isShared:
                        if (!_superseded.TryAdd(job.Id, job.Canvas!))
                            _twice.Enqueue($"{job.Id} was superseded twice");
                        break;
                    case { IsFinal: true }:
                        _lost.Enqueue($"{job.Id} ended as {progress}");
                        break;
                }
        }
        catch (OperationCanceledException)
        {
            _lost.Enqueue($"{job.Id} of {job.Client} did not end");
        }
    }

    // Counts every end that a node reports, so that a job that ends twice shows.
    private MeterListener CountEnds()
    {
        var meters = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument is { Name: "saeunbox.jobs.ended", Meter.Name: ServingTelemetry.Name })
                    listener.EnableMeasurementEvents(instrument);
            }
        };
        meters.SetMeasurementEventCallback<long>((_, count, tags, _) =>
        {
            if (tags.ToArray().Contains(new("queue", "broker")))
                Interlocked.Add(ref _ended, (int)count);
        });
        meters.Start();
        return meters;
    }

    // However fast the machine, there are jobs while the first worker and the first broker are killed.
    private IEnumerable<int> UntilBothAreKilled()
    {
        while (Volatile.Read(ref _made) < LeastJobs || Volatile.Read(ref _killedWorkers) == 0 || Volatile.Read(ref _killedBrokers) == 0)
            yield return Interlocked.Increment(ref _made);
    }

    // A job is refused while there is no worker; the caller tries again.
    private static async Task<bool> TrySubmitAsync(IHost node, GenerationJob job)
    {
        try
        {
            await node.Queue().SubmitAsync(job, CancellationToken.None);
            return true;
        }
        catch (QueueFullException)
        {
            await Task.Delay(500);
            return false;
        }
    }

    private async Task KillAsync(Cluster cluster, IHost node, Process[] workers, Random random, CancellationToken ending)
    {
        while (!ending.IsCancellationRequested)
        {
            await Task.Delay(random.Next(2000, 6000), ending).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (ending.IsCancellationRequested)
                break;
            if ((_killedWorkers + _killedBrokers) % 4 == 1)
            {
                await broker.KillAsync();
                await broker.StartAsync();
                Interlocked.Increment(ref _killedBrokers);
                continue;
            }
            // Waits for slow starts on a busy machine, so that the workers run some jobs before the next kill.
            await node.WorkersAsync(Workers);
            var doomed = random.Next(workers.Length);
            workers[doomed].Kill();
            workers[doomed] = cluster.WorkerProcess($"worker{doomed}");
            Interlocked.Increment(ref _killedWorkers);
        }
    }

    private static double At(List<double> times, double share) => times.Order().ElementAt((int)(share * (times.Count - 1)));
}
