using System.Diagnostics;

namespace SaeUnbox.Serving;

/// <summary>Counts one job and traces it from acceptance to end. Not thread-safe: the owner locks.</summary>
internal sealed class JobTelemetry
{
    /// <summary>Values of the metrics' queue tag: the queue of this process's devices, or a web node's queue over the broker.</summary>
    public const string DeviceQueue = "device", BrokerQueue = "broker";

    private enum State { Waiting, Running, Ended }

    private readonly GenerationJob _job;
    private readonly string _queue;
    private readonly Activity? _span, _wait;
    private State _state = State.Waiting;

    /// <param name="job">Just accepted. Its span is a child of the current one.</param>
    /// <param name="queue"><see cref="DeviceQueue"/> or <see cref="BrokerQueue"/>.</param>
    /// <param name="isTraced">False if the caller has a span of its own for the job.</param>
    public JobTelemetry(GenerationJob job, string queue, bool isTraced = true)
    {
        (_job, _queue) = (job, queue);
        Count(State.Waiting, 1);
        if (!isTraced)
            return;
        _span = ServingTelemetry.Begin("job", queue == BrokerQueue ? ActivityKind.Producer : ActivityKind.Internal);
        if (_span is not { } span)
            return;
        span
            .SetTag("saeunbox.job.id", job.Id)
            .SetTag("saeunbox.job.live", job.Canvas is not null)
            .SetTag("saeunbox.job.steps", job.Recipe.Steps)
            .SetTag("saeunbox.job.edits", job.Recipe.Edits.Count);
        _wait = ServingTelemetry.Begin(StageTiming.Wait, parent: span.Context);
    }

    /// <summary>The job's span, parent of its stages; null without tracing.</summary>
    public Activity? Span => _span;

    public void Update(GenerationProgress progress)
    {
        var next = progress switch { { IsFinal: true } => State.Ended, GenerationProgress.Running => State.Running, _ => _state };
        if (next == _state)
            return;
        if (_state == State.Waiting)
            ServingTelemetry.End(_wait);
        Count(_state, -1);
        Count(_state = next, 1);
        if (next == State.Ended)
            End(progress);
    }

    /// <summary>
    /// Records a completed job. Only completed jobs are tagged with their model: the model of a failed job may be a name that a visitor
    /// made up.
    /// </summary>
    /// <param name="stages">The stages that this process measured.</param>
    /// <param name="total">Since acceptance.</param>
    public void Completed(IEnumerable<StageTiming> stages, TimeSpan total)
    {
        var tags = new TagList
        {
            { ServingTelemetry.Queue, _queue },
            { ServingTelemetry.Model, _job.Recipe.Model },
            { ServingTelemetry.Live, _job.Canvas is not null }
        };
        ServingTelemetry.JobDuration.Record(total.TotalSeconds, tags);
        foreach (var stage in stages)
            ServingTelemetry.StageDuration.Record(stage.Duration.TotalSeconds, [.. tags, new(ServingTelemetry.Stage, stage.Stage)]);
    }

    private void End(GenerationProgress last)
    {
        var outcome = last switch
        {
            GenerationProgress.Completed => "completed",
            GenerationProgress.Superseded => "superseded",
            GenerationProgress.Cancelled => "cancelled",
            _ => "failed",
        };
        ServingTelemetry.Ended.Add(1, new(ServingTelemetry.Queue, _queue), new(ServingTelemetry.Outcome, outcome),
            new(ServingTelemetry.Live, _job.Canvas is not null));
        // The reason goes only to the log, because it may quote the user's text.
        if (last is GenerationProgress.Failed)
            _span?.SetStatus(ActivityStatusCode.Error);
        _span?.SetTag("saeunbox.job.outcome", outcome);
        ServingTelemetry.End(_span);
    }

    private void Count(State state, int change)
    {
        if (state == State.Ended)
            return;
        (state == State.Waiting
            ? ServingTelemetry.Waiting
            : ServingTelemetry.Running).Add(change, new KeyValuePair<string, object?>(ServingTelemetry.Queue, _queue));
    }
}
