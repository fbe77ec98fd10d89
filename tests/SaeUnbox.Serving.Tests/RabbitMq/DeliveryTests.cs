using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using RabbitMQ.Client;
using SaeUnbox.Serving.TestWorker;

namespace SaeUnbox.Serving.Tests;

/// <summary>A job runs and is answered once, whichever process fails in between.</summary>
public sealed class DeliveryTests(Broker broker)
{
    // A killed worker closes its connection; a stopped one only misses heartbeats, like a machine whose network is unplugged.
    [Theory]
    [InlineData("-KILL")]
    [InlineData("-STOP")]
    public async Task Signal_WorkerDuringAJob_HandsItToAnother(string signal)
    {
        await using var cluster = new Cluster(broker);
        var node = await cluster.NodeAsync();
        var doomed = cluster.WorkerProcess("doomed");
        await node.WorkersAsync(1);
        var job = Jobs.Live("work 2000");
        await node.Queue().SubmitAsync(job);
        await node.RunningAsync(job.Id);
        var executor = new TestExecutor();
        await cluster.WorkerAsync(executor, "survivor");

        using (var kill = Process.Start("kill", [signal, $"{doomed.Id}"]))
            await kill.WaitForExitAsync();

        Assert.IsType<GenerationProgress.Completed>(await node.LastAsync(job.Id));
        Assert.Equal(job.Id, Assert.Single(executor.Begun).Id);
    }

    [Fact]
    public async Task Kill_Broker_LosesNothingConfirmed()
    {
        // On a busy machine the broker takes long to start.
        await using var cluster = new Cluster(broker).With("SubmitTimeout", "00:01:00");
        var node = await cluster.NodeAsync();
        await cluster.WorkerAsync(new TestExecutor());
        var jobs = Enumerable.Range(0, 30).Select(_ => Jobs.Batch("work 50")).ToArray();
        foreach (var job in jobs)
            await node.Queue().SubmitAsync(job);
        await node.LastAsync(jobs[5].Id);

        await broker.KillAsync();
        // A job submitted while the broker is down waits for it.
        var late = Jobs.Batch("a");
        var submitted = node.Queue().SubmitAsync(late).AsTask();
        await broker.StartAsync();
        await submitted;

        foreach (var job in jobs.Append(late))
            Assert.IsType<GenerationProgress.Completed>(await node.LastAsync(job.Id));
    }

    [Fact]
    public async Task Restart_WebNode_StillReceivesItsLastResult()
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
    public async Task Start_SecondWebNodeOfTheSameName_IsNotReady()
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
        Assert.Contains("another web node is already named 'web'",
            second.Services.GetRequiredKeyedService<IServingState>(ServingParts.Key).Failure);
    }

    [Fact]
    public async Task Start_WorkerWithOtherSettings_SaysSoAndTakesNoJob()
    {
        await using var cluster = new Cluster(broker);
        var node = await cluster.NodeAsync();
        await cluster.WorkerAsync(new TestExecutor(), "worker1");
        await node.WorkersAsync(1);
        var worker = await cluster.With("QueueLimit", 7).WorkerAsync(new TestExecutor(), "worker2");
        var state = worker.Services.GetRequiredKeyedService<IServingState>(ServingParts.Key);

        using var patience = new CancellationTokenSource(Broker.Patience);
        while (state.Failure?.Contains("exists with other settings") != true)
            await Task.Delay(20, patience.Token);
        Assert.False(state.IsReady);
    }

    // The broker deletes this queue by itself when the worker is busy for long.
    [Fact]
    public async Task Delete_AffinityQueueOfABusyWorker_LosesNothing()
    {
        await using var cluster = new Cluster(broker);
        var node = await cluster.NodeAsync();
        await cluster.WorkerAsync(new TestExecutor());
        var (busy, next) = (Jobs.Live("work 1500"), Jobs.Live("a"));
        await node.Queue().SubmitAsync(busy);
        await node.RunningAsync(busy.Id);
        await using (var connection = await broker.ConnectAsync())
        await using (var channel = await connection.CreateChannelAsync())
            await channel.QueueDeleteAsync(cluster.Topology.Affinity("worker.0", TestExecutor.Model));
        await node.Queue().SubmitAsync(next);

        Assert.IsType<GenerationProgress.Completed>(await node.LastAsync(busy.Id));
        Assert.IsType<GenerationProgress.Completed>(await node.LastAsync(next.Id));
        Assert.DoesNotContain("lost its connection", cluster.Said.ToString());
    }

    [Fact]
    public async Task Deliver_SameJobTwice_RunsItOnce()
    {
        await using var cluster = new Cluster(broker);
        var node = await cluster.NodeAsync();
        var executor = new TestExecutor();
        await cluster.WorkerAsync(executor);
        var job = Jobs.Batch("a");
        await node.Queue().SubmitAsync(job);
        await node.Queue().SubmitAsync(job);
        Assert.IsType<GenerationProgress.Completed>(await node.LastAsync(job.Id));
        await cluster.PublishAsync(Wire.Write(JobMessage.Of(job, 1, cluster.Topology.Replies("web"))));
        var behind = Jobs.Batch("b");
        await node.Queue().SubmitAsync(behind);

        Assert.IsType<GenerationProgress.Completed>(await node.LastAsync(behind.Id));
        Assert.Equal([job.Id, behind.Id], executor.Begun.Select(begun => begun.Id));
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
}
