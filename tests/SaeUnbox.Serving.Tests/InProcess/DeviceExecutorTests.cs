using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using SaeUnbox.Testing;

namespace SaeUnbox.Serving.Tests.InProcess;

public sealed class DeviceExecutorTests : IAsyncLifetime
{
    private readonly ServingHost _host;
    private readonly IJobExecutor _device;

    public DeviceExecutorTests()
    {
        var options = Options.Create(new ServingOptions
        {
            Models = { new ServedModel { Name = "golden", Folder = Goldens.At("model"), SaeFolder = Goldens.At("saes"), Threads = 1 } }
        });
        _host = new ServingHost(options, new InProcessQueue(options, TimeProvider.System, NullLogger<InProcessQueue>.Instance),
            NullLogger<ModelHost>.Instance);
        _device = Assert.Single(_host.Devices);
    }

    public async ValueTask InitializeAsync() => await _host.StartAsync(default);

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync(new CancellationToken(true));
        _host.Dispose();
    }

    [Fact]
    public async Task Dispose_WhileModelsLoad_StopsBeforeTheLast()
    {
        var options = Options.Create(new ServingOptions());
        for (var i = 0; i < 200; i++)
            options.Value.Models.Add(new ServedModel
            {
                Name = $"golden {i}",
                Folder = Goldens.At("model"),
                SaeFolder = Goldens.At("saes"),
                Threads = 1
            });
        var host = new ServingHost(options, new InProcessQueue(options, TimeProvider.System, NullLogger<InProcessQueue>.Instance),
            NullLogger<ModelHost>.Instance);
        await host.StartAsync(default);
        host.Dispose();

        Assert.True(host.Loaded.IsCompleted);
        Assert.False(host.IsReady);
        Assert.Equal("The program stopped while its models were loading.", host.Failure);
    }

    [Fact]
    public async Task Run_JobTwice_GivesItsPictureTwiceWithProgress()
    {
        Assert.Equal("golden", Assert.Single(await _device.GetModelsAsync()).Name);
        var job = Job(4);
        var steps = new List<int>();
        var results = new List<GenerationResult>();
        for (var i = 0; i < 2; i++)
            results.Add(Assert.IsType<GenerationProgress.Completed>(
                await _device.RunAsync(job, running => steps.Add(running.Step))).Result);

        Assert.All(results, result => Assert.Equal(job.Id, result.JobId));
        Assert.Equal(results[0].Picture.ToArray(), results[1].Picture.ToArray());
        Assert.Contains(steps, step => step > 0);
        Assert.DoesNotContain(results[0].Timings, stage => stage.Stage == StageTiming.Wait);
    }

    [Fact]
    public async Task Run_Cancelled_EndsBetweenStagesAndCanRunAgain()
    {
        await _device.GetModelsAsync();
        using var cancellation = new CancellationTokenSource();

        Assert.IsType<GenerationProgress.Cancelled>(await _device.RunAsync(Job(1000), _ => cancellation.Cancel(), cancellation.Token));
        Assert.IsType<GenerationProgress.Completed>(await _device.RunAsync(Job(1), _ => { }));
    }

    [Fact]
    public async Task Run_RecipeThatDoesNotFit_FailsWithTheReason()
    {
        await _device.GetModelsAsync();
        var job = Job(1);
        job = job with { Checked = (job.Recipe with { Edits = [new FeatureEdit(Site.Composition, 1_000_000, 1)] }).Check() };

        Assert.Contains("1000000", Assert.IsType<GenerationProgress.Failed>(await _device.RunAsync(job, _ => { })).Message);
    }

    [Fact]
    public async Task Run_DeviceBreaksForGood_SaysSoAndEndsWaitingJobs()
    {
        await _device.GetModelsAsync();
        // Every later call on the model fails.
        Assert.Single(_host.Models).Dispose();

        await Assert.ThrowsAnyAsync<Exception>(() => _device.RunAsync(Job(1), _ => { }));

        Assert.Equal("cpu failed and can run no more jobs; restart the program.", _device.Failure);
        Assert.Equal((true, false, _device.Failure), (_host.IsBroken, _host.IsReady, _host.Failure));
        Assert.Contains("cpu failed", Assert.IsType<GenerationProgress.Failed>(await _device.RunAsync(Job(1), _ => { })).Message);
    }

    [Fact]
    public async Task Run_NamedDevice_WaitsForIt()
    {
        var options = Options.Create(new ServingOptions
        {
            Models =
            {
                new ServedModel { Name = "golden", Folder = Goldens.At("model"), SaeFolder = Goldens.At("saes"), Threads = 1 },
                new ServedModel
                {
                    Name = "golden",
                    Folder = Goldens.At("model"),
                    SaeFolder = Goldens.At("saes"),
                    Threads = 1,
                    Device = "cpu:0"
                },
            },
        });
        using var host = new ServingHost(options, new InProcessQueue(options, TimeProvider.System, NullLogger<InProcessQueue>.Instance),
            NullLogger<ModelHost>.Instance);
        await host.StartAsync(default);
        foreach (var device in host.Devices)
            await device.GetModelsAsync();
        using var cancellation = new CancellationTokenSource();
        var begun = new TaskCompletionSource();
        var large = Job(1000);
        large = large with { Checked = (large.Recipe with { Width = 512, Height = 512 }).Check() };
        var busy = host.Devices[0].RunAsync(large, _ => begun.TrySetResult(), cancellation.Token);
        await begun.Task;
        var waiting = host.Devices[0].RunAsync(Job(1), _ => { });

        Assert.IsType<GenerationProgress.Completed>(await host.Devices[1].RunAsync(Job(1) with { Client = "another" }, _ => { }));

        Assert.False(waiting.IsCompleted);
        await cancellation.CancelAsync();
        Assert.IsType<GenerationProgress.Cancelled>(await busy);
        Assert.IsType<GenerationProgress.Completed>(await waiting);
        await host.StopAsync(new CancellationToken(true));
    }

    private static GenerationJob Job(int steps) =>
        new(Guid.NewGuid(), new Recipe { Model = "golden", Prompt = "a dog", Width = 64, Height = 64, Steps = steps }.Check());
}
