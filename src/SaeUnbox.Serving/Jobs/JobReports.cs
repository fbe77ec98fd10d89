using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace SaeUnbox.Serving;

/// <summary>Keeps a job's newest report, and passes reports on to its watchers. Thread-safe.</summary>
/// <param name="telemetry">Null if the job is not counted in this process.</param>
internal class JobReports(GenerationJob job, JobTelemetry? telemetry)
{
    private readonly Lock _lock = new();
    private readonly List<Channel<GenerationProgress>> _watchers = [];
    private GenerationProgress _newest = new GenerationProgress.Waiting(job.Id, 0, null);

    public Guid Id => job.Id;

    public GenerationJob Job => job;

    public JobTelemetry? Telemetry => telemetry;

    public GenerationProgress Newest
    {
        get
        {
            lock (_lock)
                return _newest;
        }
    }

    public bool HasEnded => Newest.IsFinal;

    /// <summary>Size of the result in bytes.</summary>
    public int ResultBytes => Newest is GenerationProgress.Completed done
        ? done.Result.Picture.Length + done.Result.Maps.All.Sum(map => map.Values.Length * 8)
        : 0;

    /// <summary>Sends a report to all watchers. Drops it if the job has ended.</summary>
    /// <returns>False if it was dropped.</returns>
    public bool Report(GenerationProgress progress)
    {
        lock (_lock)
        {
            if (_newest.IsFinal)
                return false;
            _newest = progress;
            telemetry?.Update(progress);
            foreach (var watcher in _watchers)
            {
                watcher.Writer.TryWrite(progress);
                if (progress.IsFinal)
                    watcher.Writer.TryComplete();
            }
            if (progress.IsFinal)
                _watchers.Clear();
            return true;
        }
    }

    /// <summary>Streams the newest report, then those that follow. A slow reader gets only the newest.</summary>
    public async IAsyncEnumerable<GenerationProgress> WatchAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        var channel = Channel.CreateBounded<GenerationProgress>(new BoundedChannelOptions(1)
        {
            FullMode = BoundedChannelFullMode.DropOldest,
            SingleReader = true
        });
        lock (_lock)
        {
            channel.Writer.TryWrite(_newest);
            if (_newest.IsFinal)
                channel.Writer.TryComplete();
            else
                _watchers.Add(channel);
        }
        try
        {
            await foreach (var progress in channel.Reader.ReadAllAsync(cancellation).ConfigureAwait(false))
                yield return progress;
        }
        finally
        {
            lock (_lock)
                _watchers.Remove(channel);
        }
    }
}

/// <summary>Finished jobs whose results are still available, limited by age and size. Not thread-safe: the owner locks.</summary>
internal sealed class FinishedJobs(TimeSpan keep, long keepBytes, TimeProvider clock)
{
    private readonly Queue<(JobReports Job, long Bytes, long At)> _jobs = [];
    private long _bytes;

    /// <summary>Adds a job that has ended.</summary>
    /// <returns>The jobs that expired.</returns>
    public IReadOnlyList<JobReports> Add(JobReports job)
    {
        var bytes = job.ResultBytes;
        _jobs.Enqueue((job, bytes, clock.GetTimestamp()));
        _bytes += bytes;
        var expired = new List<JobReports>();
        // Keeps the newest whatever its size, because somebody waits for it.
        while (_jobs.Count > 1 && _jobs.Peek() is var oldest && (_bytes > keepBytes || clock.GetElapsedTime(oldest.At) > keep))
        {
            _jobs.Dequeue();
            _bytes -= oldest.Bytes;
            expired.Add(oldest.Job);
        }
        return expired;
    }
}

/// <summary>Exponential moving average of how long jobs take.</summary>
internal sealed class ServiceTime
{
    private const double NewestWeight = .2;
    private TimeSpan? _average;

    public void Add(TimeSpan time) => _average = _average is { } average ? average + ((time - average) * NewestWeight) : time;

    /// <summary>Null before the first measurement.</summary>
    public TimeSpan? Average => _average;

    /// <summary>Expected wait behind a number of jobs; null before the first measurement.</summary>
    public TimeSpan? Expected(int jobsAhead) => _average * jobsAhead;
}

/// <summary>Logs one line per completed job, on the process that ran it.</summary>
internal static partial class JobLog
{
    public static void Completed(ILogger logger, GenerationResult result, bool isLive, TimeSpan waited, TimeSpan took)
    {
        if (!logger.IsEnabled(LogLevel.Information))
            return;
        var stages = string.Join(' ',
            result.Timings.Select(stage => FormattableString.Invariant($"{stage.Stage}={stage.Duration.TotalMilliseconds:0.0}")));
        Completed(logger, result.JobId, result.Recipe.Model, isLive, result.Recipe.Edits.Count, waited.TotalMilliseconds,
            took.TotalMilliseconds, stages);
        Prompt(logger, result.JobId, result.Recipe.Prompt);
    }

    [LoggerMessage(10, LogLevel.Information,
        "Job {Job} on {Model}: live {Live}, edits {Edits}, waited {Waited:0.0} ms, took {Took:0.0} ms ({Stages})")]
    private static partial void Completed(ILogger logger, Guid job, string model, bool live, int edits, double waited, double took,
        string stages);

    [LoggerMessage(11, LogLevel.Debug, "Job {Job}: prompt {Prompt}")]
    private static partial void Prompt(ILogger logger, Guid job, string prompt);
}

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
