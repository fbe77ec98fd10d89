using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using SaeUnbox.Testing;

namespace SaeUnbox.Serving.Tests.InProcess;

/// <summary>Metrics are process-wide, so no other tests run at the same time as these.</summary>
[CollectionDefinition(nameof(Listening), DisableParallelization = true)]
public sealed class Listening;

[Collection(nameof(Listening))]
public sealed class TelemetryTests : IAsyncLifetime
{
    private readonly InProcessQueue _queue;
    private readonly ServingHost _host;
    private readonly MeterListener _meters = new();
    private readonly ActivityListener _traces;
    private readonly ConcurrentQueue<(string Name, double Value, Dictionary<string, object?> Tags)> _measured = [];
    private readonly ConcurrentQueue<Activity> _spans = [];

    public TelemetryTests()
    {
        var options = Options.Create(new ServingOptions
        {
            Models = { new ServedModel { Name = "golden", Folder = Goldens.At("model"), SaeFolder = Goldens.At("saes"), Threads = 1 } }
        });
        _queue = new InProcessQueue(options, TimeProvider.System, NullLogger<InProcessQueue>.Instance);
        _meters.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == ServingTelemetry.Name)
                listener.EnableMeasurementEvents(instrument);
        };
        _meters.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Keep(instrument, value, tags));
        _meters.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Keep(instrument, value, tags));
        _meters.Start();
        _traces = new()
        {
            ShouldListenTo = source => source.Name == ServingTelemetry.Name,
            Sample = (ref _) => ActivitySamplingResult.AllData,
            ActivityStopped = _spans.Enqueue
        };
        ActivitySource.AddActivityListener(_traces);
        _host = new ServingHost(options, _queue, NullLogger<ModelHost>.Instance);
    }

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        _meters.Dispose();
        _traces.Dispose();
        await _host.StopAsync(new CancellationToken(true));
        _host.Dispose();
    }

    [Fact]
    public async Task Submit_JobsOfACanvas_UpdateEveryInstrument()
    {
        var (first, second, third) = (Job(1) with { Canvas = "c" }, Job(1) with { Canvas = "c" }, Job(1) with { Canvas = "other" });
        foreach (var job in new[] { first, second, third })
            await _queue.SubmitAsync(job);
        Assert.Equal(2, Sum("saeunbox.jobs.waiting"));
        await _host.StartAsync(default);
        foreach (var job in new[] { first, second, third })
            await LastAsync(job);
        _meters.RecordObservableInstruments();

        Assert.Equal((0, 0), (Sum("saeunbox.jobs.waiting"), Sum("saeunbox.jobs.running")));
        Assert.Equal(2, _measured.Count(one => one is { Name: "saeunbox.jobs.running", Value: 1 }));
        Assert.Equal((1, 2, 0),
            (Sum("saeunbox.jobs.ended", "outcome", "superseded"), Sum(
                "saeunbox.jobs.ended", "outcome", "completed"), Sum("saeunbox.jobs.ended", "outcome", "failed")));
        Assert.Equal((1, 1),
            (Sum("saeunbox.prefix_cache.lookups", "result", "miss"), Sum("saeunbox.prefix_cache.lookups", "result", "hit")));
        foreach (var stage in new[] { "wait", "text", "unet", "decode", "encode" })
            Assert.Equal(2,
                _measured.Count(one => one.Name == "saeunbox.job.stage.duration"
                    && Equals(one.Tags["stage"], stage)
                    && Equals(one.Tags["model"], "golden")
                    && Equals(one.Tags["live"], true)));
        Assert.All(_measured.Where(one => one.Name == "saeunbox.job.duration"), one => Assert.InRange(one.Value, 1e-6, 600));
        Assert.InRange(Sum("saeunbox.device.memory.usage", "device", "cpu"), 1 << 20, Sum("saeunbox.device.memory.limit", "device", "cpu"));
    }

    [Fact]
    public async Task Submit_WithinASpan_NestsJobAndStages()
    {
        await _host.StartAsync(default);
        using var request = new Activity("request").Start();
        var job = Job(1);
        await _queue.SubmitAsync(job);
        Assert.Same(request, Activity.Current);
        await LastAsync(job);

        var span = Assert.Single(_spans, span => span.OperationName == "job");
        Assert.Equal((request.TraceId, request.SpanId), (span.TraceId, span.ParentSpanId));
        Assert.Equal("completed", span.GetTagItem("saeunbox.job.outcome"));
        Assert.Equal(["wait", "text", "unet", "decode", "encode"],
            _spans
                .Where(stage => stage.ParentSpanId == span.SpanId)
                .OrderBy(stage => stage.StartTimeUtc)
                .Select(stage => stage.OperationName));
        // No tag holds the visitor's text.
        Assert.DoesNotContain(_spans.SelectMany(one => one.TagObjects), tag => $"{tag.Value}".Contains("a dog", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Cancel_WaitingJob_EndsItsSpans()
    {
        var job = Job(1);
        await _queue.SubmitAsync(job);
        await _queue.CancelAsync(job.Id);

        Assert.Equal(["wait", "job"], _spans.Select(span => span.OperationName));
        Assert.Equal(0, Sum("saeunbox.jobs.waiting"));
        Assert.Equal(1, Sum("saeunbox.jobs.ended", "outcome", "cancelled"));
    }

    private void Keep(Instrument instrument, double value,
        ReadOnlySpan<KeyValuePair<string, object?>> tags) => _measured.Enqueue((instrument.Name, value, new(tags.ToArray())));

    private double Sum(string name, string? tag = null, object? value = null) =>
        _measured.Where(one => one.Name == name && (tag is null || Equals(one.Tags[tag], value))).Sum(one => one.Value);

    private async Task<GenerationProgress> LastAsync(GenerationJob job)
    {
        GenerationProgress? last = null;
        await foreach (var progress in _queue.WatchAsync(job.Id))
            last = progress;
        return last!;
    }

    private static GenerationJob Job(int steps) =>
        new(Guid.NewGuid(), new Recipe { Model = "golden", Prompt = "a dog", Width = 64, Height = 64, Steps = steps }.Check());
}
