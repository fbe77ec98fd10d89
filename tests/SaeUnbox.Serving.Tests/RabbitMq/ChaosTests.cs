using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;
using Microsoft.Extensions.Hosting;

namespace SaeUnbox.Serving.Tests;

public sealed class ChaosTests(Broker broker)
{
    private const int AtOnce = 40, Workers = 3, SharedCanvases = 12;

    private int _killedWorkers, _killedBrokers, _made;

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
        var random = new Random(seed);
        using var ending = new CancellationTokenSource();
        var kills = KillAsync(cluster, nodes[0], workers, random, ending.Token);
        var (completed, superseded) = (new ConcurrentDictionary<Guid, string?>(), new ConcurrentDictionary<Guid, string?>());
        var ended = 0;
        // Counts every end that a node reports, so that a job that ends twice shows.
        using var meters = new MeterListener
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
                Interlocked.Add(ref ended, (int)count);
        });
        meters.Start();
        var start = Stopwatch.GetTimestamp();
        var refused = 0;

        await Parallel.ForEachAsync(UntilBothAreKilled(), new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (i, _) =>
        {
            var node = nodes[i % nodes.Length];
            // Two of three live jobs share a canvas, so that jobs are also superseded.
            var job = i % 2 != 0 ? Jobs.Batch("work 20") : Jobs.Live("work 20", i % 3 == 0 ? null : $"canvas{i % SharedCanvases}");
            while (!await TrySubmitAsync(node, job))
                Interlocked.Increment(ref refused);
            await foreach (var progress in node.Queue().WatchAsync(job.Id, CancellationToken.None))
                switch (progress)
                {
                    case GenerationProgress.Completed { Result: var result }:
                        Assert.Equal(job.Recipe.ContentHash(), Encoding.UTF8.GetString(result.Picture.Span));
                        Assert.True(completed.TryAdd(job.Id, job.Canvas), "a picture was shown twice");
                        break;
                    case GenerationProgress.Superseded when job.Canvas?.StartsWith("canvas", StringComparison.Ordinal) == true:
                        Assert.True(superseded.TryAdd(job.Id, job.Canvas), "a job ended twice");
                        break;
                    default:
                        Assert.False(progress.IsFinal, $"job {i} ended as {progress}");
                        break;
                }
        });
        await ending.CancelAsync();
        await kills;

        Assert.Equal(_made, completed.Count + superseded.Count);
        Assert.Superset(superseded.Values.ToHashSet(), completed.Values.ToHashSet());
        Assert.Equal(_made + refused, Volatile.Read(ref ended));
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"seed {seed}: {_made} jobs, {superseded.Count} of them superseded, {_killedWorkers} workers and {_killedBrokers} brokers "
            + $"killed, {refused} times refused, {Stopwatch.GetElapsedTime(start)}");
    }

    // However fast the machine, there are jobs while the first worker and the first broker are killed.
    private IEnumerable<int> UntilBothAreKilled()
    {
        while (_made < LeastJobs || Volatile.Read(ref _killedWorkers) == 0 || Volatile.Read(ref _killedBrokers) == 0)
            yield return _made++;
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
            await Task.Delay(random.Next(500, 2000), ending).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
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
}
