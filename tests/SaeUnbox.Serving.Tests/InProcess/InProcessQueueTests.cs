using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using SaeUnbox.Testing;

namespace SaeUnbox.Serving.Tests.InProcess;

public sealed class InProcessQueueTests : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);
    private readonly ServingOptions _options = new()
    {
        QueueLimit = 3,
        Models = { new ServedModel { Name = "golden", Folder = Goldens.At("model"), SaeFolder = Goldens.At("saes"), Threads = 1 } },
    };
    private readonly InProcessQueue _queue;
    private readonly ServingHost _host;

    public InProcessQueueTests()
    {
        _queue = new InProcessQueue(Options.Create(_options), TimeProvider.System, NullLogger<InProcessQueue>.Instance);
        _host = new ServingHost(Options.Create(_options), _queue, NullLogger<ModelHost>.Instance);
    }

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync(new CancellationToken(true));
        _host.Dispose();
    }

    [Fact]
    public async Task Submit_Recipe_GivesItsPictureAndMaps()
    {
        await StartAsync();
        var job = Job() with { Sites = [_host.Models.First().Info.Sites[0].Site] };
        await _queue.SubmitAsync(job);

        var result = Assert.IsType<GenerationProgress.Completed>(await LastAsync(job)).Result;

        Assert.Equal(job.Recipe, Recipe.FromJson(Png.FindText(result.Picture.Span, Recipe.PngKeyword)!));
        Assert.Equal(job.Sites, result.Maps.All.Select(map => map.Site));
        Assert.Equal(["wait", "text", "unet", "decode", "encode"], result.Timings.Select(timing => timing.Stage));
    }

    [Fact]
    public async Task Submit_SameRecipeTwice_GivesTheSamePixels()
    {
        await StartAsync();
        var jobs = new[] { Job(), Job() };
        foreach (var job in jobs)
            await _queue.SubmitAsync(job);

        var pictures = new List<byte[]>();
        foreach (var job in jobs)
            pictures.Add(((GenerationProgress.Completed)await LastAsync(job)).Result.Picture.ToArray());

        Assert.Equal(pictures[0], pictures[1]);
    }

    [Fact]
    public async Task Submit_BeforeTheModelIsLoaded_WaitsForIt()
    {
        var job = Job();
        await _queue.SubmitAsync(job);
        await StartAsync();

        Assert.IsType<GenerationProgress.Completed>(await LastAsync(job));
    }

    [Fact]
    public async Task Submit_ModelNotLoaded_FailsWithItsName()
    {
        var early = Job() with { Checked = (Job().Recipe with { Model = "elsewhere" }).Check() };
        await _queue.SubmitAsync(early);
        await StartAsync();

        Assert.Contains("elsewhere", Assert.IsType<GenerationProgress.Failed>(await LastAsync(early)).Message);
        var late = await Assert.ThrowsAsync<RecipeException>(async () => await _queue.SubmitAsync(early with { Id = Guid.NewGuid() }));
        Assert.Contains("golden", late.Message);
    }

    [Fact]
    public async Task Submit_MoreThanMayWait_IsRefusedUntilThereIsRoom()
    {
        for (var i = 0; i < _options.QueueLimit; i++)
            await _queue.SubmitAsync(Job() with { Canvas = $"{i}" });

        var refused = await Assert.ThrowsAsync<QueueFullException>(async () => await _queue.SubmitAsync(Job()));
        Assert.True(refused.RetryAfter > TimeSpan.Zero);
        // A job that replaces a waiting one needs no room.
        await _queue.SubmitAsync(Job() with { Canvas = "0" });
    }

    [Fact]
    public async Task Submit_BeyondAClientsShare_IsRefusedAndLeavesRoomForOthers()
    {
        _options.QueueLimit = 8;
        var greedy = Job() with { Client = "greedy" };
        await _queue.SubmitAsync(greedy);
        await _queue.SubmitAsync(Another(greedy));

        var refused = await Assert.ThrowsAsync<QueueFullException>(async () => await _queue.SubmitAsync(Another(greedy)));
        Assert.Contains("too many of your pictures", refused.Message);
        await _queue.SubmitAsync(Job() with { Client = "modest" });
    }

    [Fact]
    public async Task Submit_LargeJobs_CountByTheirCost()
    {
        _options.QueueLimit = 8;
        var large = Job() with { Client = "a", Cost = 64 };
        await _queue.SubmitAsync(large); // alone, it may wait whatever its size

        await Assert.ThrowsAsync<QueueFullException>(async () => await _queue.SubmitAsync(Job() with { Client = "b" }));
    }

    [Fact]
    public async Task Submit_OnlyBatchJobs_LeaveRoomForPainters()
    {
        _options.QueueLimit = 4;
        for (var i = 0; i < 3; i++)
            await _queue.SubmitAsync(Job());

        await Assert.ThrowsAsync<QueueFullException>(async () => await _queue.SubmitAsync(Job()));
        await _queue.SubmitAsync(Job() with { Canvas = "c" });
    }

    [Fact]
    public async Task Run_LongerThanTheTimeLimit_FailsAndFreesTheDevice()
    {
        _options.TimeLimit = TimeSpan.FromMilliseconds(100);
        using var host = new ServingHost(Options.Create(_options), _queue, NullLogger<ModelHost>.Instance);
        await host.StartAsync(default);
        await host.Loaded.WaitAsync(Patience);
        var job = Job() with { Checked = (Job().Recipe with { Steps = 1000, Width = 512, Height = 512 }).Check() };
        await _queue.SubmitAsync(job);

        Assert.Contains("longer than 0.1 s", Assert.IsType<GenerationProgress.Failed>(await LastAsync(job)).Message);
        await host.StopAsync(new CancellationToken(true));
    }

    [Fact]
    public async Task Submit_NewerJobOfTheCanvas_SupersedesTheWaiting()
    {
        var (older, newer) = (Job() with { Canvas = "c" }, Job() with { Canvas = "c" });
        await _queue.SubmitAsync(older);
        await _queue.SubmitAsync(newer);
        await StartAsync();

        Assert.IsType<GenerationProgress.Superseded>(await LastAsync(older));
        Assert.IsType<GenerationProgress.Completed>(await LastAsync(newer));
    }

    [Fact]
    public async Task Watch_BehindOthers_ReportsThePosition()
    {
        var jobs = Enumerable.Range(0, 3).Select(i => Job() with { Canvas = $"{i}" }).ToArray();
        foreach (var job in jobs)
            await _queue.SubmitAsync(job);

        await foreach (var progress in _queue.WatchAsync(jobs[2].Id))
        {
            Assert.Equal(2, Assert.IsType<GenerationProgress.Waiting>(progress).Position);
            return;
        }
    }

    [Fact]
    public async Task Cancel_WaitingJob_EndsIt()
    {
        var job = Job();
        await _queue.SubmitAsync(job);
        await _queue.CancelAsync(job.Id);

        Assert.IsType<GenerationProgress.Cancelled>(await LastAsync(job));
    }

    [Fact]
    public async Task Cancel_RunningJob_EndsItBetweenStages()
    {
        await StartAsync();
        var job = Job() with { Checked = (Job().Recipe with { Steps = 1000 }).Check() };
        await _queue.SubmitAsync(job);
        await foreach (var progress in _queue.WatchAsync(job.Id))
        {
            if (progress is GenerationProgress.Running)
                await _queue.CancelAsync(job.Id);
            if (progress.IsFinal)
                Assert.IsType<GenerationProgress.Cancelled>(progress);
        }
        var next = Job();
        await _queue.SubmitAsync(next);
        Assert.IsType<GenerationProgress.Completed>(await LastAsync(next));
    }

    [Fact]
    public async Task Watch_EndedJob_StillReports()
    {
        await StartAsync();
        var job = Job();
        await _queue.SubmitAsync(job);
        await LastAsync(job);

        Assert.IsType<GenerationProgress.Completed>(await LastAsync(job));
        Assert.Throws<KeyNotFoundException>(() => _queue.WatchAsync(Guid.NewGuid()));
    }

    [Fact]
    public async Task Stop_JobsWaiting_FinishesThem()
    {
        await StartAsync();
        var jobs = Enumerable.Range(0, 3).Select(i => Job() with { Canvas = $"{i}" }).ToArray();
        foreach (var job in jobs)
            await _queue.SubmitAsync(job);

        await _host.StopAsync(default);

        foreach (var job in jobs)
            Assert.IsType<GenerationProgress.Completed>(await LastAsync(job));
        await Assert.ThrowsAsync<QueueStoppingException>(async () => await _queue.SubmitAsync(Job()));
        Assert.False(_host.IsReady);
    }

    [Fact]
    public async Task Load_FolderThatIsNotAModel_SaysWhy()
    {
        using var folder = new TemporaryFolder();
        var options = new ServingOptions { Models = { new ServedModel { Folder = folder.Path } } };
        var queue = new InProcessQueue(Options.Create(options), TimeProvider.System, NullLogger<InProcessQueue>.Instance);
        using var host = new ServingHost(Options.Create(options), queue, NullLogger<ModelHost>.Instance);
        await host.StartAsync(default);
        await host.Loaded.WaitAsync(Patience);

        Assert.False(host.IsReady);
        Assert.Contains(folder.Path, host.Failure);
        await host.StopAsync(default);
    }

    [Fact]
    public void Validate_SeveralMistakes_NamesEach()
    {
        var result = new ServingOptionsValidator().Validate(null, new ServingOptions
        {
            QueueLimit = 0,
            Models = { new ServedModel { Folder = "nowhere", Device = "tpu", Threads = 0, Loras = { "nowhere.safetensors:0.5" } } },
        });

        Assert.Equal(["QueueLimit", "Folder", "0", "Device", "Threads"],
            result.Failures!.Select(failure => failure.Split(' ')[0].Split(':')[^1]));
    }

    private static GenerationJob Another(GenerationJob job) => job with { Id = Guid.NewGuid() };

    private async Task StartAsync()
    {
        await _host.StartAsync(default);
        await _host.Loaded.WaitAsync(Patience);
        Assert.Null(_host.Failure);
    }

    private async Task<GenerationProgress> LastAsync(GenerationJob job)
    {
        using var patience = new CancellationTokenSource(Patience);
        GenerationProgress? last = null;
        await foreach (var progress in _queue.WatchAsync(job.Id, patience.Token))
            last = progress;
        return last!;
    }

    private static GenerationJob Job() =>
        new(Guid.NewGuid(), new Recipe { Model = "golden", Prompt = "a dog", Width = 64, Height = 64 }.Check());
}
