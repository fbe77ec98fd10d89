using Microsoft.Extensions.DependencyInjection;
using SaeUnbox.Serving.TestWorker;

namespace SaeUnbox.Serving.Tests;

/// <summary>When a worker stops or its device fails, other workers get its jobs.</summary>
public sealed class WorkerEndTests(Broker broker)
{
    [Fact]
    public async Task Stop_BusyWorker_FinishesItsJobAndTakesNoOther()
    {
        await using var cluster = new Cluster(broker);
        var node = await cluster.NodeAsync();
        var (first, second) = (new TestExecutor(), new TestExecutor());
        var worker = await cluster.WorkerAsync(first, "worker1");
        var (inHand, next) = (Jobs.Live("work 1000"), Jobs.Live("a"));
        await node.Queue().SubmitAsync(inHand);
        await node.RunningAsync(inHand.Id);
        await node.Queue().SubmitAsync(next);

        await worker.StopAsync();
        await cluster.WorkerAsync(second, "worker2");

        Assert.IsType<GenerationProgress.Completed>(await node.LastAsync(inHand.Id));
        Assert.IsType<GenerationProgress.Completed>(await node.LastAsync(next.Id));
        Assert.Equal(inHand.Id, Assert.Single(first.Begun).Id);
        Assert.Equal(next.Id, Assert.Single(second.Begun).Id);
    }

    [Fact]
    public async Task Stop_WorkerPastItsGrace_HandsTheJobToAnother()
    {
        await using var cluster = new Cluster(broker).With("Grace", "00:00:00");
        var node = await cluster.NodeAsync();
        var worker = await cluster.WorkerAsync(new TestExecutor(), "worker1");
        var job = Jobs.Live("work 2000");
        await node.Queue().SubmitAsync(job);
        await node.RunningAsync(job.Id);

        await worker.StopAsync();
        var replacement = new TestExecutor();
        await cluster.WorkerAsync(replacement, "worker2");

        Assert.IsType<GenerationProgress.Completed>(await node.LastAsync(job.Id));
        Assert.Single(replacement.Begun);
    }

    // As in a rolling update when jobs take longer than the grace period.
    [Fact]
    public async Task Stop_WorkersPastTheirGrace_CountNoTries()
    {
        await using var cluster = new Cluster(broker).With("Grace", "00:00:00");
        var node = await cluster.NodeAsync();
        var job = Jobs.Live("work 3000");
        for (var i = 0; i <= Topology.Tries; i++)
        {
            var executor = new TestExecutor();
            var worker = await cluster.WorkerAsync(executor, $"worker{i}");
            if (i == 0)
                await node.Queue().SubmitAsync(job);
            await BegunAsync(executor);
            await worker.StopAsync();
        }
        await cluster.WorkerAsync(new TestExecutor(), "last");

        Assert.IsType<GenerationProgress.Completed>(await node.LastAsync(job.Id));
    }

    [Fact]
    public async Task Break_OneDevice_HandsItsJobsToTheOther()
    {
        await using var cluster = new Cluster(broker);
        var node = await cluster.NodeAsync();
        var broken = new BrokenExecutor();
        var worker = await cluster.WorkerAsync(broken, "broken");
        await node.WorkersAsync(1);
        var jobs = Enumerable.Range(0, 5).Select(_ => Jobs.Live("a")).ToArray();
        foreach (var job in jobs)
            await node.Queue().SubmitAsync(job);
        await broken.Broke.WaitAsync(Broker.Patience);
        await cluster.WorkerAsync(new TestExecutor(), "whole");

        foreach (var job in jobs)
            Assert.IsType<GenerationProgress.Completed>(await node.LastAsync(job.Id));
        Assert.Equal(1, broken.Begun);
        var state = worker.Services.GetRequiredKeyedService<IServingState>(ServingParts.Key);
        Assert.Equal((false, "cuda:0 broke"), (state.IsReady, state.Failure));
    }

    private static async Task BegunAsync(TestExecutor executor)
    {
        using var patience = new CancellationTokenSource(Broker.Patience);
        while (true)
        {
            lock (executor.Begun)
                if (executor.Begun.Count > 0)
                    return;
            await Task.Delay(20, patience.Token);
        }
    }

    /// <summary>A device that fails for good on its first job.</summary>
    private sealed class BrokenExecutor : IJobExecutor
    {
        private readonly TaskCompletionSource _broke = new();

        public int Begun { get; private set; }

        public Task Broke => _broke.Task;

        public string Device => "cuda:0";

        public string? Failure { get; private set; }

        public Task<IReadOnlyList<ModelInfo>> GetModelsAsync(CancellationToken cancellationToken = default) =>
            new TestExecutor().GetModelsAsync(cancellationToken);

        public Task<GenerationProgress> RunAsync(GenerationJob job, Action<GenerationProgress.Running> report,
            CancellationToken cancellationToken = default)
        {
            (Begun, Failure) = (Begun + 1, "cuda:0 broke");
            _broke.TrySetResult();
            throw new InvalidOperationException("an illegal memory access was encountered");
        }
    }
}
