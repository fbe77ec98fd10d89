using Microsoft.Extensions.Hosting;
using SaeUnbox.Serving.TestWorker;

namespace SaeUnbox.Serving.Tests;

public sealed class LatestWinsTests(Broker broker)
{
    [Fact]
    public async Task Submit_NewerJobsOfAWaitingCanvas_RunsOnlyTheNewest()
    {
        await using var cluster = new Cluster(broker);
        var node = await cluster.NodeAsync();
        var executor = new TestExecutor();
        await cluster.WorkerAsync(executor);
        var ahead = Jobs.Live("work 1500");
        await node.Queue().SubmitAsync(ahead);
        await node.RunningAsync(ahead.Id);

        var (first, second, third) = (Jobs.Live("a", "c"), Jobs.Live("b", "c"), Jobs.Live("c", "c"));
        foreach (var job in new[] { first, second, third })
            await node.Queue().SubmitAsync(job);

        Assert.IsType<GenerationProgress.Completed>(await node.LastAsync(third.Id));
        Assert.IsType<GenerationProgress.Superseded>(await node.LastAsync(first.Id));
        Assert.IsType<GenerationProgress.Superseded>(await node.LastAsync(second.Id));
        Assert.Equal([ahead.Id, third.Id], executor.Begun.Select(job => job.Id));
    }

    [Fact]
    public async Task Submit_NewerJobOfARunningCanvas_EndsTheOlderButNotTwiceInARow()
    {
        await using var cluster = new Cluster(broker);
        var node = await cluster.NodeAsync();
        var executor = new TestExecutor();
        await cluster.WorkerAsync(executor);
        var (first, second, third) = (Jobs.Live("work 30000", "c"), Jobs.Live("work 1000", "c"), Jobs.Live("work 10", "c"));

        await node.Queue().SubmitAsync(first);
        await node.RunningAsync(first.Id);
        await node.Queue().SubmitAsync(second);
        await node.RunningAsync(second.Id);
        await node.Queue().SubmitAsync(third);

        Assert.IsType<GenerationProgress.Completed>(await node.LastAsync(third.Id));
        Assert.IsType<GenerationProgress.Completed>(await node.LastAsync(second.Id));
        Assert.IsType<GenerationProgress.Superseded>(await node.LastAsync(first.Id));
    }

    // As when a page reconnects to another node.
    [Fact]
    public async Task Submit_NewerJobAtAnotherNode_ReplacesTheOlder()
    {
        await using var cluster = new Cluster(broker);
        IHost[] nodes = [await cluster.NodeAsync("web1"), await cluster.NodeAsync("web2")];
        var executor = new TestExecutor();
        await cluster.WorkerAsync(executor);
        foreach (var node in nodes)
            await node.WorkersAsync(1);
        var ahead = Jobs.Live("work 1500");
        await nodes[0].Queue().SubmitAsync(ahead);
        await nodes[0].RunningAsync(ahead.Id);

        var (older, newer) = (Jobs.Live("a", "c"), Jobs.Live("b", "c"));
        await nodes[0].Queue().SubmitAsync(older);
        await nodes[1].Queue().SubmitAsync(newer);

        Assert.IsType<GenerationProgress.Superseded>(await nodes[0].LastAsync(older.Id));
        Assert.IsType<GenerationProgress.Completed>(await nodes[1].LastAsync(newer.Id));
        Assert.Equal([ahead.Id, newer.Id], executor.Begun.Select(job => job.Id));
    }

    [Fact]
    public async Task Cancel_WaitingAndRunningJobs_EndsThemAndFreesTheCanvas()
    {
        await using var cluster = new Cluster(broker);
        var node = await cluster.NodeAsync();
        var executor = new TestExecutor();
        await cluster.WorkerAsync(executor);
        var (running, waiting, next) = (Jobs.Live("work 30000", "c"), Jobs.Batch("a"), Jobs.Live("b", "c"));
        await node.Queue().SubmitAsync(running);
        await node.RunningAsync(running.Id);
        await node.Queue().SubmitAsync(waiting);

        await node.Queue().CancelAsync(waiting.Id);
        await node.Queue().CancelAsync(running.Id);
        await node.Queue().SubmitAsync(next);

        Assert.IsType<GenerationProgress.Cancelled>(await node.LastAsync(running.Id));
        Assert.IsType<GenerationProgress.Cancelled>(await node.LastAsync(waiting.Id));
        Assert.IsType<GenerationProgress.Completed>(await node.LastAsync(next.Id));
        var behind = Jobs.Batch("c");
        await node.Queue().SubmitAsync(behind);
        await node.LastAsync(behind.Id);
        Assert.DoesNotContain(waiting.Id, executor.Begun.Select(job => job.Id));
    }

    [Fact]
    public async Task Submit_JobsOfOneCanvas_StayWithOneWorkerUnlessBusy()
    {
        await using var cluster = new Cluster(broker).With("AffinityWait", TimeSpan.FromSeconds(3));
        var node = await cluster.NodeAsync();
        TestExecutor[] executors = [new(), new()];
        foreach (var (i, executor) in executors.Index())
            await cluster.WorkerAsync(executor, $"worker{i}");
        await node.WorkersAsync(2);
        for (var i = 0; i < 6; i++)
            await DoAsync(node, Jobs.Live("a", "c"));
        var favourite = Assert.Single(executors, executor => executor.Begun.Count > 0);
        Assert.Equal(6, favourite.Begun.Count);

        // Finds another canvas whose preferred worker is the same one, then keeps that worker busy.
        var other = 0;
        do
            await DoAsync(node, Jobs.Live("a", $"other{++other}"));
        while (favourite.Begun[^1].Canvas != $"other{other}");
        var busy = Jobs.Live("work 60000", "c");
        await node.Queue().SubmitAsync(busy);
        await node.RunningAsync(busy.Id);
        Assert.Equal(busy.Id, favourite.Begun[^1].Id);

        var job = Jobs.Live("b", $"other{other}");
        await DoAsync(node, job);

        Assert.Equal(job.Id, executors.Single(executor => executor != favourite).Begun[^1].Id);
        await node.Queue().CancelAsync(busy.Id);
    }

    // Reserved for a busy worker, it would be hidden from the one that becomes free, which would take a batch job.
    [Fact]
    public async Task Submit_AllWorkersBusyWithThisNodesJobs_RunsAtTheFirstThatIsFree()
    {
        await using var cluster = new Cluster(broker).With("AffinityWait", TimeSpan.FromSeconds(10));
        var node = await cluster.NodeAsync();
        TestExecutor[] executors = [new(), new()];
        foreach (var (i, executor) in executors.Index())
            await cluster.WorkerAsync(executor, $"worker{i}");
        await node.WorkersAsync(2);
        await DoAsync(node, Jobs.Live("a", "c"));
        var other = Assert.Single(executors, executor => executor.Begun.Count == 0);
        var batch = Enumerable.Range(0, 3).Select(_ => Jobs.Batch("work 60000")).ToArray();
        foreach (var job in batch)
            await node.Queue().SubmitAsync(job);
        await node.RunningAsync(batch[0].Id);
        await node.RunningAsync(batch[1].Id);

        var stroke = Jobs.Live("b", "c");
        await node.Queue().SubmitAsync(stroke);
        await node.Queue().CancelAsync(Assert.Single(other.Begun).Id);
        Assert.IsType<GenerationProgress.Completed>(await node.LastAsync(stroke.Id));

        Assert.Equal(stroke.Id, other.Begun[1].Id);
        foreach (var job in batch)
            await node.Queue().CancelAsync(job.Id);
    }

    private static async Task DoAsync(IHost node, GenerationJob job)
    {
        await node.Queue().SubmitAsync(job);
        Assert.IsType<GenerationProgress.Completed>(await node.LastAsync(job.Id));
    }
}
