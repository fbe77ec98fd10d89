using System.Diagnostics;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;
using SaeUnbox.Contracts;
using SaeUnbox.RabbitMq.TestWorker;

namespace SaeUnbox.RabbitMq.Tests;

public sealed class DeliveryTests(Broker broker)
{
    [Fact]
    public async Task Submit_AJobThatEndsItsWorkers_IsSetAsideAfterThree()
    {
        await using var cluster = new Cluster(broker);
        var node = await cluster.NodeAsync();
        var workers = Enumerable.Range(0, 4).Select(i => cluster.WorkerProcess($"worker{i}")).ToArray();
        await node.WorkersAsync(workers.Length);
        var job = Jobs.Live("die");
        await node.Queue().SubmitAsync(job);

        Assert.Contains("3 workers were lost", Assert.IsType<GenerationProgress.Failed>(await node.LastAsync(job.Id)).Message);
        // A process is gone a little later than its connection.
        for (var left = 600; left > 0 && workers.Count(worker => !worker.HasExited) > 1; left--)
            await Task.Delay(50);
        Assert.Single(workers, worker => !worker.HasExited);
        Assert.Equal("3 workers were lost while they did it", (await DeadAsync(cluster)).Reason);
    }

    [Fact]
    public async Task Submit_AJobThatThrows_IsSetAsideAfterThreeTriesWithTheReason()
    {
        await using var cluster = new Cluster(broker);
        var node = await cluster.NodeAsync();
        var executor = new TestExecutor();
        await cluster.WorkerAsync(executor);
        var job = Jobs.Batch("break");
        await node.Queue().SubmitAsync(job);

        Assert.Contains("the device is broken", Assert.IsType<GenerationProgress.Failed>(await node.LastAsync(job.Id)).Message);
        Assert.Equal(3, executor.Begun.Count);
        Assert.Contains("the device is broken", (await DeadAsync(cluster)).Reason);
    }

    [Theory]
    [InlineData("""{"version":99}""", "version 99")]
    [InlineData("""{"job":"x"}""", "no version")]
    [InlineData("""{"version":1,"job":3}""", "cannot be read")]
    [InlineData("no json", "cannot be read")]
    public async Task Deliver_AMessageThatIsNoJob_IsSetAsideWithTheReason(string message, string reason)
    {
        await using var cluster = new Cluster(broker);
        var node = await cluster.NodeAsync();
        await cluster.WorkerAsync(new TestExecutor());
        await PublishAsync(cluster, Encoding.UTF8.GetBytes(message));

        Assert.Contains(reason, (await DeadAsync(cluster)).Reason);
        var job = Jobs.Batch("a");
        await node.Queue().SubmitAsync(job);
        Assert.IsType<GenerationProgress.Completed>(await node.LastAsync(job.Id));
    }

    // One dies; of the other only the heartbeats are missed, as of a machine whose cable was pulled.
    [Theory]
    [InlineData("-KILL")]
    [InlineData("-STOP")]
    public async Task Signal_AWorkerInTheMiddleOfAJob_AnotherDoesIt(string signal)
    {
        await using var cluster = new Cluster(broker);
        var node = await cluster.NodeAsync();
        var doomed = cluster.WorkerProcess("doomed");
        await node.WorkersAsync(1);
        var job = Jobs.Live("work 2000");
        await node.Queue().SubmitAsync(job);
        await node.RunningAsync(job.Id);
        var executor = new TestExecutor();
        await cluster.WorkerAsync(executor, "heir");

        using (var kill = Process.Start("kill", [signal, $"{doomed.Id}"]))
            await kill.WaitForExitAsync();

        Assert.IsType<GenerationProgress.Completed>(await node.LastAsync(job.Id));
        Assert.Equal(job.Id, Assert.Single(executor.Begun).Id);
    }

    [Fact]
    public async Task Kill_TheBroker_LosesNothingThatWasConfirmed()
    {
        // Starting it takes as long as the machine lets it.
        await using var cluster = new Cluster(broker).With("SubmitTimeout", "00:01:00");
        var node = await cluster.NodeAsync();
        await cluster.WorkerAsync(new TestExecutor());
        var jobs = Enumerable.Range(0, 30).Select(_ => Jobs.Batch("work 50")).ToArray();
        foreach (var job in jobs)
            await node.Queue().SubmitAsync(job);
        await node.LastAsync(jobs[5].Id);

        await broker.KillAsync();
        // One that comes while it is away waits for it.
        var late = Jobs.Batch("a");
        var submitted = node.Queue().SubmitAsync(late).AsTask();
        await broker.StartAsync();
        await submitted;

        foreach (var job in jobs.Append(late))
            Assert.IsType<GenerationProgress.Completed>(await node.LastAsync(job.Id));
    }

    [Fact]
    public async Task Restart_AWebNode_ItsLastResultStillArrives()
    {
        await using var cluster = new Cluster(broker);
        var node = await cluster.NodeAsync();
        await cluster.WorkerAsync(new TestExecutor());
        var job = Jobs.Live("work 1000");
        await node.Queue().SubmitAsync(job);
        await node.RunningAsync(job.Id);

        await node.StopAsync(new CancellationToken(true));
        var again = await cluster.NodeAsync();

        var result = Assert.IsType<GenerationProgress.Completed>(await OnceKnownAsync(again, job.Id)).Result;
        Assert.Equal(job.Recipe, result.Recipe);
    }

    [Fact]
    public async Task Start_ASecondWebNodeOfOneName_IsNotReadyAndTakesNoAnswers()
    {
        await using var cluster = new Cluster(broker);
        var node = await cluster.NodeAsync();
        await cluster.WorkerAsync(new TestExecutor());
        await node.WorkersAsync(1);
        var second = await cluster.NodeAsync();

        for (var i = 0; i < 10; i++)
        {
            var job = Jobs.Batch("a");
            await node.Queue().SubmitAsync(job);
            Assert.IsType<GenerationProgress.Completed>(await node.LastAsync(job.Id));
        }
        Assert.Contains("another web node is called 'web'", second.Services.GetRequiredKeyedService<IServingState>(ServingParts.Key).Failure);
    }

    [Fact]
    public async Task Start_AWorkerWithOtherSettings_SaysSoAndTakesNoJob()
    {
        await using var cluster = new Cluster(broker);
        var node = await cluster.NodeAsync();
        await cluster.WorkerAsync(new TestExecutor(), "worker1");
        await node.WorkersAsync(1);
        var worker = await cluster.With("QueueLimit", 7).WorkerAsync(new TestExecutor(), "worker2");
        var state = worker.Services.GetRequiredKeyedService<IServingState>(ServingParts.Key);

        using var patience = new CancellationTokenSource(Broker.Patience);
        while (state.Failure?.Contains("was made with other settings") != true)
            await Task.Delay(20, patience.Token);
        Assert.False(state.IsReady);
    }

    [Fact]
    public async Task Stop_AWorkerWithAJobInHand_EndsTheJobAndLeavesTheNext()
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
    public async Task Stop_AWorkerPastItsGrace_GivesTheJobToAnother()
    {
        await using var cluster = new Cluster(broker).With("Grace", "00:00:00");
        var node = await cluster.NodeAsync();
        var worker = await cluster.WorkerAsync(new TestExecutor(), "worker1");
        var job = Jobs.Live("work 2000");
        await node.Queue().SubmitAsync(job);
        await node.RunningAsync(job.Id);

        await worker.StopAsync();
        var heir = new TestExecutor();
        await cluster.WorkerAsync(heir, "worker2");

        Assert.IsType<GenerationProgress.Completed>(await node.LastAsync(job.Id));
        Assert.Single(heir.Begun);
    }

    // As in the rolling update of a site whose jobs take longer than its time of grace.
    [Fact]
    public async Task Stop_WorkerAfterWorkerPastItsGrace_CountsNoTries()
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
    public async Task Break_ADevice_LeavesItsJobAndAllOthersToTheNext()
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

    // The broker forgets it by itself where a worker is too busy for long.
    [Fact]
    public async Task Delete_AWorkersOwnQueueWhileItIsBusy_CostsNothing()
    {
        await using var cluster = new Cluster(broker);
        var node = await cluster.NodeAsync();
        await cluster.WorkerAsync(new TestExecutor());
        var (busy, next) = (Jobs.Live("work 1500"), Jobs.Live("a"));
        await node.Queue().SubmitAsync(busy);
        await node.RunningAsync(busy.Id);
        await using (var connection = await broker.ConnectAsync())
        await using (var channel = await connection.CreateChannelAsync())
            await channel.QueueDeleteAsync(cluster.Topology.Private("worker.0", TestExecutor.Model));
        await node.Queue().SubmitAsync(next);

        Assert.IsType<GenerationProgress.Completed>(await node.LastAsync(busy.Id));
        Assert.IsType<GenerationProgress.Completed>(await node.LastAsync(next.Id));
        Assert.DoesNotContain("begins anew", cluster.Said.ToString());
    }

    [Fact]
    public async Task Deliver_AJobTwice_IsDoneOnce()
    {
        await using var cluster = new Cluster(broker);
        var node = await cluster.NodeAsync();
        var executor = new TestExecutor();
        await cluster.WorkerAsync(executor);
        var job = Jobs.Batch("a");
        await node.Queue().SubmitAsync(job);
        await node.Queue().SubmitAsync(job);
        Assert.IsType<GenerationProgress.Completed>(await node.LastAsync(job.Id));
        await PublishAsync(cluster, Wire.Write(JobMessage.Of(job, 1, cluster.Topology.Replies("web"))));
        var behind = Jobs.Batch("b");
        await node.Queue().SubmitAsync(behind);

        Assert.IsType<GenerationProgress.Completed>(await node.LastAsync(behind.Id));
        Assert.Equal([job.Id, behind.Id], executor.Begun.Select(begun => begun.Id));
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

    private static async Task<GenerationProgress> OnceKnownAsync(IHost node, Guid job)
    {
        using var patience = new CancellationTokenSource(Broker.Patience);
        while (true)
            try
            {
                return await node.LastAsync(job);
            }
            catch (KeyNotFoundException)
            {
                await Task.Delay(50, patience.Token);
            }
    }

    private async Task PublishAsync(Cluster cluster, byte[] message)
    {
        await using var connection = await broker.ConnectAsync();
        await using var channel = await connection.CreateChannelAsync(new(true, true));
        await cluster.Topology.DeclareModelAsync(channel, TestExecutor.Model, default);
        using var patience = new CancellationTokenSource(Broker.Patience);
        while (true)
            try
            {
                await channel.PublishAsync("", cluster.Topology.Batch(TestExecutor.Model), message, patience.Token);
                return;
            }
            catch (PublishException)
            {
                // A queue that was made a moment ago may not take anything yet.
                await Task.Delay(50, patience.Token);
            }
    }

    private async Task<DeadLetter> DeadAsync(Cluster cluster)
    {
        using var patience = new CancellationTokenSource(Broker.Patience);
        await using var connection = await broker.ConnectAsync();
        await using var channel = await connection.CreateChannelAsync();
        while (true)
        {
            if (await channel.BasicGetAsync(cluster.Topology.Dead, autoAck: true) is { } dead)
                return DeadLetter.Of(dead.Body, dead.BasicProperties);
            await Task.Delay(50, patience.Token);
        }
    }

    /// <summary>A device that breaks for good under its first job.</summary>
    private sealed class BrokenExecutor : IJobExecutor
    {
        private readonly TaskCompletionSource _broke = new();

        public int Begun { get; private set; }

        public Task Broke => _broke.Task;

        public string Device => "cuda:0";

        public string? Failure { get; private set; }

        public Task<IReadOnlyList<ModelInfo>> GetModelsAsync(CancellationToken cancellationToken = default) => new TestExecutor().GetModelsAsync(cancellationToken);

        public Task<GenerationProgress> RunAsync(GenerationJob job, Action<GenerationProgress.Running> report, CancellationToken cancellationToken = default)
        {
            (Begun, Failure) = (Begun + 1, "cuda:0 broke");
            _broke.TrySetResult();
            throw new InvalidOperationException("an illegal memory access was encountered");
        }
    }
}
