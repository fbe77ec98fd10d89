using System.Text;
using SaeUnbox.Serving.TestWorker;

namespace SaeUnbox.Serving.Tests;

/// <summary>A job that keeps failing is dead-lettered, with the reason.</summary>
public sealed class DeadLetterTests(Broker broker)
{
    [Fact]
    public async Task Submit_JobThatKillsWorkers_IsSetAsideAfterThree()
    {
        await using var cluster = new Cluster(broker);
        var node = await cluster.NodeAsync();
        var workers = Enumerable.Range(0, 4).Select(i => cluster.WorkerProcess($"worker{i}")).ToArray();
        await node.WorkersAsync(workers.Length);
        var job = Jobs.Live("die");
        await node.Queue().SubmitAsync(job);

        Assert.Contains("3 workers were lost", Assert.IsType<GenerationProgress.Failed>(await node.LastAsync(job.Id)).Message);
        // The processes exit shortly after their connections close.
        for (var left = 600; left > 0 && workers.Count(worker => !worker.HasExited) > 1; left--)
            await Task.Delay(50);
        Assert.Single(workers, worker => !worker.HasExited);
        Assert.Equal("3 workers were lost while running it", (await DeadAsync(cluster)).Reason);
    }

    [Fact]
    public async Task Submit_JobThatThrows_IsSetAsideAfterThreeTriesWithTheReason()
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
    public async Task Deliver_InvalidMessage_IsSetAsideWithTheReason(string message, string reason)
    {
        await using var cluster = new Cluster(broker);
        var node = await cluster.NodeAsync();
        await cluster.WorkerAsync(new TestExecutor());
        await cluster.PublishAsync(Encoding.UTF8.GetBytes(message));

        Assert.Contains(reason, (await DeadAsync(cluster)).Reason);
        var job = Jobs.Batch("a");
        await node.Queue().SubmitAsync(job);
        Assert.IsType<GenerationProgress.Completed>(await node.LastAsync(job.Id));
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
}
