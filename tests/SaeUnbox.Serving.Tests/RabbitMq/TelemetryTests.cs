using System.Collections.Concurrent;
using System.Diagnostics;
using SaeUnbox.Serving.TestWorker;

namespace SaeUnbox.Serving.Tests;

public sealed class TelemetryTests : IDisposable
{
    private readonly Broker _broker;
    private readonly ConcurrentQueue<Activity> _spans = [];
    private readonly ActivityListener _listener;

    public TelemetryTests(Broker broker)
    {
        _broker = broker;
        _listener = new()
        {
            ShouldListenTo = source => source.Name == ServingTelemetry.Name,
            Sample = (ref _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = _spans.Enqueue
        };
        ActivitySource.AddActivityListener(_listener);
    }

    public void Dispose() => _listener.Dispose();

    [Fact]
    public async Task Submit_JobAndItsSuccessor_WorkerSpansContinueTheNodes()
    {
        await using var cluster = new Cluster(_broker);
        var node = await cluster.NodeAsync();
        await cluster.WorkerAsync(new TestExecutor());
        var (first, replacement) = (Jobs.Live("work 30000", "c"), Jobs.Live("a", "c"));
        await node.Queue().SubmitAsync(first);
        await node.RunningAsync(first.Id);
        await node.Queue().SubmitAsync(replacement); // reaches the worker as a control message, not as a delivery
        Assert.IsType<GenerationProgress.Completed>(await node.LastAsync(replacement.Id));
        Assert.IsType<GenerationProgress.Superseded>(await node.LastAsync(first.Id));

        foreach (var job in new[] { first, replacement })
        {
            var (asked, done) = (Span("job", job), Span("process", job));
            Assert.Equal((asked.TraceId, asked.SpanId), (done.TraceId, done.ParentSpanId));
            Assert.Equal((ActivityKind.Producer, ActivityKind.Consumer), (asked.Kind, done.Kind));
            Assert.True(done.HasRemoteParent);
        }
        Assert.NotEqual(Span("job", first).TraceId, Span("job", replacement).TraceId);
    }

    [Fact]
    public async Task Submit_FailingJob_EachTryIsASpan()
    {
        await using var cluster = new Cluster(_broker);
        var node = await cluster.NodeAsync();
        await cluster.WorkerAsync(new TestExecutor());
        var job = Jobs.Live("break");
        await node.Queue().SubmitAsync(job);
        await node.LastAsync(job.Id);

        var asked = Span("job", job);
        Assert.Equal("failed", asked.GetTagItem("saeunbox.job.outcome"));
        Assert.Equal(Topology.Tries,
            _spans.Count(span => span.OperationName == "process"
                && span.TraceId == asked.TraceId
                && span.Status == ActivityStatusCode.Error));
    }

    private Activity Span(string name, GenerationJob job) =>
        Assert.Single(_spans, span => span.OperationName == name && Equals(span.GetTagItem("saeunbox.job.id"), job.Id));
}
