using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using Microsoft.Extensions.Hosting;
using SaeUnbox.Contracts;

namespace SaeUnbox.RabbitMq.Tests;

public sealed class ChaosTests(Broker broker)
{
    private const int AtOnce = 40, Workers = 3;

    // tests/soak.sh asks for more.
    private static int Count => int.Parse(Environment.GetEnvironmentVariable("SAEUNBOX_SOAK_JOBS") ?? "200", CultureInfo.InvariantCulture);

    [Fact]
    public async Task Submit_WhileWorkersAndTheBrokerAreKilled_EveryJobIsAnsweredOnce()
    {
        // Time enough, however long a broker takes to start on a busy machine.
        await using var cluster = new Cluster(broker).With("SubmitTimeout", "00:01:00").With("LiveTimeToLive", "01:00:00");
        IHost[] nodes = [await cluster.NodeAsync("web1"), await cluster.NodeAsync("web2")];
        var workers = Enumerable.Range(0, Workers).Select(i => cluster.WorkerProcess($"worker{i}")).ToArray();
        await nodes[0].WorkersAsync(Workers);
        await nodes[1].WorkersAsync(Workers);
        var seed = Environment.TickCount;
        var random = new Random(seed);
        using var ending = new CancellationTokenSource();
        var kills = KillAsync(cluster, nodes[0], workers, random, ending.Token);
        var shown = new ConcurrentDictionary<Guid, int>();
        var start = Stopwatch.GetTimestamp();
        var refused = 0;

        await Parallel.ForEachAsync(Enumerable.Range(0, Count), new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (i, _) =>
        {
            var node = nodes[i % nodes.Length];
            var job = i % 2 == 0 ? Jobs.Live("work 20") : Jobs.Batch("work 20");
            while (!await TrySubmitAsync(node, job))
                Interlocked.Increment(ref refused);
            await foreach (var progress in node.Queue().WatchAsync(job.Id, CancellationToken.None))
                if (progress.IsFinal)
                {
                    Assert.True(progress is GenerationProgress.Completed, $"job {i} ended as {progress}");
                    var result = ((GenerationProgress.Completed)progress).Result;
                    Assert.Equal(job.Recipe.ContentHash(), Encoding.UTF8.GetString(result.Picture.Span));
                    shown.AddOrUpdate(job.Id, 1, (_, times) => times + 1);
                }
        });
        await ending.CancelAsync();
        var (killedWorkers, killedBrokers) = await kills;

        Assert.Equal(Count, shown.Count);
        Assert.All(shown.Values, times => Assert.Equal(1, times));
        Assert.True(killedWorkers > 0 && killedBrokers > 0, "it was over before anything was killed");
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}: {Count} jobs, {killedWorkers} workers and {killedBrokers} brokers killed, {refused} times told to come back, {Stopwatch.GetElapsedTime(start)}");
    }

    // While no worker is there a job is refused, and its owner comes back with it.
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

    private async Task<(int Workers, int Brokers)> KillAsync(Cluster cluster, IHost node, Process[] workers, Random random, CancellationToken ending)
    {
        var (killedWorkers, killedBrokers) = (0, 0);
        while (!ending.IsCancellationRequested)
        {
            await Task.Delay(random.Next(500, 2000), ending).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (ending.IsCancellationRequested)
                break;
            if ((killedWorkers + killedBrokers) % 4 == 1)
            {
                await broker.KillAsync();
                await broker.StartAsync();
                killedBrokers++;
                continue;
            }
            // However slowly workers start on a busy machine, they have some time to work in.
            await node.WorkersAsync(Workers);
            var doomed = random.Next(workers.Length);
            workers[doomed].Kill();
            workers[doomed] = cluster.WorkerProcess($"worker{doomed}");
            killedWorkers++;
        }
        return (killedWorkers, killedBrokers);
    }
}
