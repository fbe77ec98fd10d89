using SaeUnbox.Serving.TestWorker;

namespace SaeUnbox.Serving.Tests;

public sealed class BrokerAdminTests(Broker broker)
{
    [Fact]
    public async Task Requeue_JobSetAside_RunsOnACapableWorker()
    {
        await using var cluster = new Cluster(broker);
        var node = await cluster.NodeAsync();
        var broken = await cluster.WorkerAsync(new TestExecutor(), "broken");
        var job = Jobs.Live("break");
        await node.Queue().SubmitAsync(job);
        Assert.IsType<GenerationProgress.Failed>(await node.LastAsync(job.Id));
        await broken.StopAsync(CancellationToken.None);
        await using var admin = await BrokerAdmin.ConnectAsync(new() { Uri = broker.Uri, Prefix = cluster.Prefix });

        // Listing the dead letters leaves them in the queue.
        Assert.Equal(job.Id, Assert.Single(await admin.DeadAsync()).Job);
        Assert.Contains("the device is broken", Assert.Single(await admin.DeadAsync()).Reason);
        Assert.Equal(0, await admin.RequeueAsync([Guid.NewGuid()]));
        Assert.Equal(1, await admin.RequeueAsync([job.Id]));

        Assert.Empty(await admin.DeadAsync());
        var executor = new RecordingExecutor();
        await cluster.WorkerAsync(executor, "whole");
        Assert.Equal(job.Id, (await executor.Job.WaitAsync(Broker.Patience)).Id);
    }

    [Fact]
    public async Task Workers_OneIdleOneBusy_AreListedWithTheirState()
    {
        await using var cluster = new Cluster(broker);
        var node = await cluster.NodeAsync();
        await cluster.WorkerAsync(new TestExecutor(), "a");
        await cluster.WorkerAsync(new TestExecutor("other"), "b");
        await node.WorkersAsync(2);
        var job = Jobs.Batch("work 30000");
        await node.Queue().SubmitAsync(job);
        await node.RunningAsync(job.Id);
        await node.Queue().SubmitAsync(Jobs.Batch("a"));
        await using var admin = await BrokerAdmin.ConnectAsync(new() { Uri = broker.Uri, Prefix = cluster.Prefix });

        var workers = await admin.WorkersAsync(TimeSpan.FromSeconds(1));

        Assert.Equal([("a.0", (Guid?)job.Id), ("b.0", null)], workers.Select(worker => (worker.Name, worker.Doing)));
        Assert.Equal([0, 1, 0], (await admin.QueuesAsync([TestExecutor.Model, "never served"])).Select(queue => queue.Messages));
        await node.Queue().CancelAsync(job.Id);
    }

    [Theory]
    [InlineData("amqp://guest:hushhush@127.0.0.1:1/")]
    [InlineData("http://guest:hushhush@127.0.0.1/")]
    public async Task Connect_NoBroker_SaysSoWithoutThePassword(string uri)
    {
        var refused = await Assert.ThrowsAsync<IOException>(() => BrokerAdmin.ConnectAsync(new() { Uri = uri }));

        Assert.DoesNotContain("hushhush", refused.ToString());
    }

    private sealed class RecordingExecutor : IJobExecutor
    {
        private readonly TaskCompletionSource<GenerationJob> _job = new();

        public string Device => "cpu";

        public Task<GenerationJob> Job => _job.Task;

        public Task<IReadOnlyList<ModelInfo>> GetModelsAsync(CancellationToken cancellationToken = default) =>
            new TestExecutor().GetModelsAsync(cancellationToken);

        public Task<GenerationProgress> RunAsync(GenerationJob job, Action<GenerationProgress.Running> report,
            CancellationToken cancellationToken = default)
        {
            _job.SetResult(job);
            return Task.FromResult<GenerationProgress>(new GenerationProgress.Failed(job.Id, "seen"));
        }
    }
}
