using Microsoft.Extensions.Hosting;
using SaeUnbox.Serving.TestWorker;

namespace SaeUnbox.Serving.Tests;

public sealed class FairnessTests(Broker broker)
{
    [Fact]
    public async Task Submit_LiveBehindBatch_GoesFirst()
    {
        await using var cluster = new Cluster(broker);
        var node = await cluster.NodeAsync();
        var executor = new TestExecutor();
        await cluster.WorkerAsync(executor);
        var batch = Enumerable.Range(0, 20).Select(_ => Jobs.Batch("work 100")).ToArray();
        foreach (var job in batch)
            await node.Queue().SubmitAsync(job);
        await node.LastAsync(batch[0].Id);
        var live = Jobs.Live("a");
        await node.Queue().SubmitAsync(live);
        var begun = executor.Begun.Count;

        Assert.IsType<GenerationProgress.Completed>(await node.LastAsync(live.Id));
        Assert.InRange(executor.Begun.FindIndex(job => job.Id == live.Id), 1, begun + 1); // behind the one in hand
    }

    [Fact]
    public async Task Submit_BatchBehindManyLive_GetsItsTurn()
    {
        await using var cluster = new Cluster(broker);
        var node = await cluster.NodeAsync();
        var executor = new TestExecutor();
        await cluster.WorkerAsync(executor);
        var ahead = Jobs.Batch("work 60000");
        await node.Queue().SubmitAsync(ahead);
        await node.RunningAsync(ahead.Id);
        var live = Enumerable.Range(0, 30).Select(_ => Jobs.Live("a")).ToArray();
        foreach (var job in live)
            await node.Queue().SubmitAsync(job);
        var batch = Jobs.Batch("b");
        await node.Queue().SubmitAsync(batch);
        await node.Queue().CancelAsync(ahead.Id);

        foreach (var job in live.Append(batch))
            Assert.IsType<GenerationProgress.Completed>(await node.LastAsync(job.Id));
        Assert.InRange(executor.Begun.FindIndex(job => job.Id == batch.Id), 1, 10);
    }

    [Fact]
    public async Task Submit_OneGreedyCanvas_GetsNoMoreTurnsThanOthers()
    {
        await using var cluster = new Cluster(broker);
        var (nodes, executor) = await TwoNodesAndAWorkerAsync(cluster);
        using var ending = new CancellationTokenSource();
        // Paints as fast as it can, and ignores the results.
        var greedy = Task.Run(async () =>
        {
            for (; !ending.IsCancellationRequested; await Task.Delay(5))
                await nodes[0].Queue().SubmitAsync(Jobs.Live("work 20", "greedy"));
        });

        await Task.WhenAll(Enumerable.Range(0, 10).Select(async i =>
        {
            for (var turn = 0; turn < 5; turn++)
            {
                var job = Jobs.Live("work 20", $"modest{i}");
                await nodes[i % 2].Queue().SubmitAsync(job);
                Assert.IsType<GenerationProgress.Completed>(await nodes[i % 2].LastAsync(job.Id));
            }
        }));
        var taken = executor.Begun.Count(job => job.Canvas == "greedy");
        await ending.CancelAsync();
        await greedy;

        // Each modest canvas had five turns. On a busy machine they come back late, so the greedy one may get a few more.
        Assert.InRange(taken, 1, 20);
    }

    [Fact]
    public async Task Submit_MoreThanMayWait_IsRefusedWithRetryAfter()
    {
        await using var cluster = new Cluster(broker).With("QueueLimit", 3);
        var node = await cluster.NodeAsync();
        await cluster.WorkerAsync(new TestExecutor());
        var running = Jobs.Live("work 30000");
        await node.Queue().SubmitAsync(running);
        await node.RunningAsync(running.Id);

        // The broker counts with a delay, so it may accept a few more.
        var accepted = 0;
        var refused = await Assert.ThrowsAsync<QueueFullException>(async () =>
        {
            for (; accepted < 20; accepted++)
                await node.Queue().SubmitAsync(Jobs.Batch("a"));
        });
        Assert.InRange(accepted, 3, 5);
        Assert.True(refused.RetryAfter > TimeSpan.Zero);
        Assert.Contains("the queue is full", refused.Message);
        await node.Queue().CancelAsync(running.Id);
    }

    [Fact]
    public async Task Submit_MoreThanAClientsShare_IsRefusedAndLeavesRoomForOthers()
    {
        await using var cluster = new Cluster(broker).With("QueueLimit", 20);
        var node = await cluster.NodeAsync();
        await cluster.WorkerAsync(new TestExecutor());
        var running = Jobs.Live("work 30000");
        await node.Queue().SubmitAsync(running);
        await node.RunningAsync(running.Id);
        for (var i = 0; i < 5; i++)
            await node.Queue().SubmitAsync(Jobs.Batch("a") with { Client = "greedy" });

        var refused =
            await Assert.ThrowsAsync<QueueFullException>(
                async () => await node.Queue().SubmitAsync(Jobs.Batch("a") with { Client = "greedy" }));
        Assert.Contains("too many of your jobs", refused.Message);
        var modest = Jobs.Batch("a") with { Client = "modest" };
        await node.Queue().SubmitAsync(modest);
        await node.Queue().CancelAsync(running.Id);
        Assert.IsType<GenerationProgress.Completed>(await node.LastAsync(modest.Id));
    }

    [Fact]
    public async Task Submit_BehindManyBatchJobsOfAnotherNode_WaitsForAtMostOnePrefetch()
    {
        await using var cluster = new Cluster(broker);
        var (nodes, executor) = await TwoNodesAndAWorkerAsync(cluster);
        var ahead = Jobs.Batch("work 60000");
        await nodes[0].Queue().SubmitAsync(ahead);
        await nodes[0].RunningAsync(ahead.Id);
        var greedy = Enumerable.Range(0, 12).Select(_ => Jobs.Batch("a") with { Client = "greedy" }).ToArray();
        foreach (var job in greedy)
            await nodes[0].Queue().SubmitAsync(job);
        var modest = Jobs.Batch("b") with { Client = "modest" };
        await nodes[1].Queue().SubmitAsync(modest);
        await nodes[0].Queue().CancelAsync(greedy[11].Id);
        await nodes[0].Queue().CancelAsync(ahead.Id);

        Assert.IsType<GenerationProgress.Completed>(await nodes[1].LastAsync(modest.Id));
        foreach (var job in greedy[..11])
            Assert.IsType<GenerationProgress.Completed>(await nodes[0].LastAsync(job.Id));
        // With one worker, a client has two jobs in the broker; the others wait in the node.
        Assert.Equal([ahead.Id, greedy[0].Id, greedy[1].Id, modest.Id, .. greedy[2..11].Select(job => job.Id)],
            executor.Begun.Select(job => job.Id));
    }

    [Fact]
    public async Task Submit_BehindManyCanvasesOfOneClient_WaitsForAtMostOnePrefetch()
    {
        await using var cluster = new Cluster(broker);
        var node = await cluster.NodeAsync();
        var executor = new TestExecutor();
        await cluster.WorkerAsync(executor);
        var ahead = Jobs.Live("work 60000", "first");
        await node.Queue().SubmitAsync(ahead);
        await node.RunningAsync(ahead.Id);
        var greedy = Enumerable.Range(0, 8).Select(i => Jobs.Live("a", $"canvas{i}") with { Client = "greedy" }).ToArray();
        foreach (var job in greedy)
            await node.Queue().SubmitAsync(job);
        var modest = Jobs.Live("b", "modest") with { Client = "modest" };
        await node.Queue().SubmitAsync(modest);
        var newer = Jobs.Live("c", "canvas5") with { Client = "greedy" };
        await node.Queue().SubmitAsync(newer);
        await node.Queue().CancelAsync(greedy[7].Id);
        await node.Queue().CancelAsync(ahead.Id);

        Assert.IsType<GenerationProgress.Superseded>(await node.LastAsync(greedy[5].Id));
        Assert.IsType<GenerationProgress.Cancelled>(await node.LastAsync(greedy[7].Id));
        GenerationJob[] done = [greedy[0], greedy[1], greedy[2], greedy[3], greedy[4], newer, greedy[6], modest];
        foreach (var job in done)
            Assert.IsType<GenerationProgress.Completed>(await node.LastAsync(job.Id));
        // Another client waits, so the client has as many jobs in the broker as there are workers.
        Assert.Equal([ahead, greedy[0], modest, greedy[1], greedy[2], greedy[3], greedy[4], newer, greedy[6]], executor.Begun,
            (expected, begun) => expected.Id == begun.Id);
        // The canvas is free for its next job.
        var last = Jobs.Live("d", "canvas7") with { Client = "greedy" };
        await node.Queue().SubmitAsync(last);
        Assert.IsType<GenerationProgress.Completed>(await node.LastAsync(last.Id));
    }

    [Fact]
    public async Task Submit_LargeJobsOfOneClient_CountByTheirWork()
    {
        const int size = 4;
        await using var cluster = new Cluster(broker);
        var node = await cluster.NodeAsync();
        var executor = new TestExecutor();
        await cluster.WorkerAsync(executor);
        var ahead = Jobs.Live("work 60000", "first");
        await node.Queue().SubmitAsync(ahead);
        await node.RunningAsync(ahead.Id);
        var large = Enumerable.Range(0, 3).Select(_ => Jobs.Live("a") with { Client = "large", Cost = size }).ToArray();
        var small = Enumerable.Range(0, 3 * size).Select(_ => Jobs.Live("b") with { Client = "small" }).ToArray();
        foreach (var job in large.Concat(small))
            await node.Queue().SubmitAsync(job);
        await node.Queue().CancelAsync(ahead.Id);
        foreach (var job in large.Concat(small))
            Assert.IsType<GenerationProgress.Completed>(await node.LastAsync(job.Id));

        var begun = executor.Begun.Select(job => job.Client).ToList();
        for (var i = 0; i < large.Length; i++)
        {
            var before = begun.Take(begun.FindIndex(client => client == "large")).Count(client => client == "small");
            begun.Remove("large");
            Assert.InRange(before, i * size - 1, i * size + 1);
        }
    }

    [Fact]
    public async Task Submit_LargeJobsWithoutACanvas_FillAClientsShareSooner()
    {
        await using var cluster = new Cluster(broker).With("QueueLimit", 64);
        var node = await cluster.NodeAsync();
        await cluster.WorkerAsync(new TestExecutor());
        var large = Jobs.Batch("work 30000") with { Client = "greedy", Cost = 64 };
        await node.Queue().SubmitAsync(large);

        await Assert.ThrowsAsync<QueueFullException>(
            async () => await node.Queue().SubmitAsync(Jobs.Batch("a") with { Client = "greedy" }));
        await node.Queue().SubmitAsync(Jobs.Batch("a") with { Client = "modest" });
        await node.Queue().CancelAsync(large.Id);
    }

    [Fact]
    public async Task Submit_CanvasOfTwoClients_TakesNobodysTurnForGood()
    {
        await using var cluster = new Cluster(broker);
        var node = await cluster.NodeAsync();
        await cluster.WorkerAsync(new TestExecutor());
        for (var i = 0; i < 4; i++)
        {
            var (first, second) =
                (Jobs.Live("work 500", "shared") with { Client = "one" }, Jobs.Live("b", "shared") with { Client = "two" });
            await node.Queue().SubmitAsync(first);
            await node.RunningAsync(first.Id);
            await node.Queue().SubmitAsync(second);
            Assert.IsType<GenerationProgress.Completed>(await node.LastAsync(second.Id));
        }

        var last = Jobs.Live("c") with { Client = "one" };
        await node.Queue().SubmitAsync(last);
        Assert.IsType<GenerationProgress.Completed>(await node.LastAsync(last.Id));
    }

    [Fact]
    public async Task Submit_TurnComesWhileThereIsNoWorker_WaitsForOne()
    {
        await using var cluster = new Cluster(broker).With("AnnounceEvery", "00:00:00.100");
        var node = await cluster.NodeAsync();
        var worker = await cluster.WorkerAsync(new TestExecutor());
        var jobs = new[] { "work 60000", "a", "b" }.Select(prompt => Jobs.Live(prompt) with { Client = "me" }).ToArray();
        await node.Queue().SubmitAsync(jobs[0]);
        await node.RunningAsync(jobs[0].Id);
        await node.Queue().SubmitAsync(jobs[1]);
        await node.Queue().SubmitAsync(jobs[2]);
        await worker.StopAsync(new CancellationToken(true));
        await node.WorkersAsync(0, orFewer: true);

        // The third job has waited in the node for this.
        ((BrokerQueue)node.Queue()).OnReply(new(new GenerationProgress.Failed(jobs[0].Id, "its worker is gone"), ""));
        await Task.Delay(1000);
        await cluster.WorkerAsync(new TestExecutor(), "another");

        Assert.IsType<GenerationProgress.Completed>(await node.LastAsync(jobs[2].Id));
    }

    [Fact]
    public async Task Submit_ModelOfNoWorker_IsRefusedWithTheOthers()
    {
        await using var cluster = new Cluster(broker);
        var node = await cluster.NodeAsync();
        var early = await Assert.ThrowsAsync<QueueFullException>(async () => await node.Queue().SubmitAsync(Jobs.Batch("a")));
        Assert.Contains("no worker", early.Message);
        await cluster.WorkerAsync(new TestExecutor("other"));
        await cluster.WorkerAsync(new TestExecutor("another"), "worker2");
        var refused = await Assert.ThrowsAsync<RecipeException>(async () =>
        {
            for (var i = 0; i < 20; i++)
                try
                {
                    await node.Queue().SubmitAsync(Jobs.Batch("a"));
                }
                catch (QueueFullException)
                {
                    await Task.Delay(100); // not heard of yet
                }
        });
        Assert.Contains("other", refused.Message);
    }

    [Fact]
    public async Task Wait_BeyondTheTimeLimit_FailsAndSaysSo()
    {
        await using var cluster = new Cluster(broker).With("LiveTimeToLive", "00:00:01");
        var node = await cluster.NodeAsync();
        await cluster.WorkerAsync(new TestExecutor());
        var running = Jobs.Batch("work 4000");
        await node.Queue().SubmitAsync(running);
        await node.RunningAsync(running.Id);
        var job = Jobs.Live("a");
        await node.Queue().SubmitAsync(job);

        Assert.Contains("no worker took it in time", Assert.IsType<GenerationProgress.Failed>(await node.LastAsync(job.Id)).Message);
    }

    [Fact]
    public async Task Watch_BehindOthers_ReportsThePosition()
    {
        await using var cluster = new Cluster(broker);
        var node = await cluster.NodeAsync();
        await cluster.WorkerAsync(new TestExecutor());
        var running = Jobs.Batch("work 30000");
        await node.Queue().SubmitAsync(running);
        await node.RunningAsync(running.Id);
        var jobs = Enumerable.Range(0, 3).Select(_ => Jobs.Live("a")).ToArray();
        foreach (var job in jobs)
            await node.Queue().SubmitAsync(job);

        await foreach (var progress in node.Queue().WatchAsync(jobs[2].Id))
            if (Assert.IsType<GenerationProgress.Waiting>(progress).Position == 3)
                break;
        await node.Queue().CancelAsync(running.Id);
    }

    private static async Task<(IHost[] Nodes, TestExecutor Executor)> TwoNodesAndAWorkerAsync(Cluster cluster)
    {
        IHost[] nodes = [await cluster.NodeAsync("web1"), await cluster.NodeAsync("web2")];
        var executor = new TestExecutor();
        await cluster.WorkerAsync(executor);
        foreach (var node in nodes)
            await node.WorkersAsync(1);
        return (nodes, executor);
    }
}
