using System.Diagnostics;

namespace SaeUnbox.Serving;

/// <summary>Counts one job and spans it, from its acceptance over its start to its end. Its owner locks.</summary>
internal sealed class JobTelemetry
{
    /// <summary>Whose view it is: of the queue before this process's devices, or of a web node whose jobs go over a broker.</summary>
    public const string DeviceQueue = "device", BrokerQueue = "broker";

    private enum State { Waiting, Running, Ended }

    private readonly GenerationJob _job;
    private readonly string _queue;
    private readonly Activity? _span, _wait;
    private State _state = State.Waiting;

    /// <param name="job">The job, just accepted; its span is a child of the present one.</param>
    /// <param name="queue">Whose view it is.</param>
    public JobTelemetry(GenerationJob job, string queue)
    {
        (_job, _queue) = (job, queue);
        Count(State.Waiting, 1);
        _span = ServingTelemetry.Begin("job", queue == BrokerQueue ? ActivityKind.Producer : ActivityKind.Internal);
        if (_span is not { } span)
            return;
        span.SetTag("saeunbox.job.id", job.Id).SetTag("saeunbox.job.live", job.Canvas is not null).SetTag("saeunbox.job.steps", job.Recipe.Steps).SetTag("saeunbox.job.edits", job.Recipe.Edits.Count);
        _wait = ServingTelemetry.Begin(StageTiming.Wait, parent: span.Context);
    }

    /// <summary>The span of the whole job, under which its stages stand; null where nobody listens.</summary>
    public Activity? Span => _span;

    public void Became(GenerationProgress progress)
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

    /// <summary>Its result is there. So its model exists: names that visitors make up are never told.</summary>
    /// <param name="stages">Those that were seen from here.</param>
    /// <param name="total">From its acceptance on.</param>
    public void Completed(IEnumerable<StageTiming> stages, TimeSpan total)
    {
        var tags = new TagList { { ServingTelemetry.Queue, _queue }, { ServingTelemetry.Model, _job.Recipe.Model }, { ServingTelemetry.Live, _job.Canvas is not null } };
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
        ServingTelemetry.Ended.Add(1, new(ServingTelemetry.Queue, _queue), new(ServingTelemetry.Outcome, outcome), new(ServingTelemetry.Live, _job.Canvas is not null));
        // The log has the reason; it may hold what a visitor wrote.
        if (last is GenerationProgress.Failed)
            _span?.SetStatus(ActivityStatusCode.Error);
        _span?.SetTag("saeunbox.job.outcome", outcome);
        ServingTelemetry.End(_span);
    }

    private void Count(State state, int change)
    {
        if (state == State.Ended)
            return;
        (state == State.Waiting ? ServingTelemetry.Waiting : ServingTelemetry.Running).Add(change, new KeyValuePair<string, object?>(ServingTelemetry.Queue, _queue));
    }
}
