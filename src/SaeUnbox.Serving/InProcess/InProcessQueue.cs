using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace SaeUnbox.Serving;

/// <summary>The queue of a single process. The threads of the <see cref="ModelHost"/>s take jobs from it.</summary>
internal sealed partial class InProcessQueue(IOptions<ServingOptions> options, TimeProvider clock, ILogger<InProcessQueue> logger) : IGenerationQueue
{
    private readonly object _work = new();
    private readonly JobBoard _board = new();
    private readonly Dictionary<Guid, JobRecord> _records = [];
    private readonly FinishedJobs _finished = new(options.Value.KeepResults, options.Value.KeepBytes, clock);
    private readonly ServiceTime _serviceTime = new();
    private bool _isClosed, _isDraining;
    private int _running;

    /// <summary>Checks a job against its model. Throws <see cref="RecipeException"/>.</summary>
    public Action<GenerationJob>? Check { get; set; }

    public ValueTask SubmitAsync(GenerationJob job, CancellationToken cancellationToken = default) => SubmitAsync(job, null, cancellationToken);

    /// <param name="device">The device that must run the job; null for any that has the model.</param>
    internal ValueTask SubmitAsync(GenerationJob job, string? device, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        job.Recipe.EnsureValid();
        Check?.Invoke(job);
        lock (_work)
        {
            if (_records.ContainsKey(job.Id))
                return ValueTask.CompletedTask;
            if (_isDraining || (_board.Count >= options.Value.QueueLimit && !_board.Replaces(job)))
                throw new QueueFullException(_serviceTime.Expected(Math.Max(1, _board.Count / 4)) ?? TimeSpan.FromSeconds(1));
            var record = new JobRecord(job, clock.GetTimestamp()) { Device = device };
            _records[job.Id] = record;
            if (_board.Add(job) is { } replaced)
                End(_records[replaced.Id], new GenerationProgress.Superseded(replaced.Id));
            ReportPositions();
            Monitor.PulseAll(_work);
        }
        return ValueTask.CompletedTask;
    }

    public IAsyncEnumerable<GenerationProgress> WatchAsync(Guid jobId, CancellationToken cancellationToken = default)
    {
        lock (_work)
            return _records.TryGetValue(jobId, out var record) ? record.WatchAsync(cancellationToken) : throw new KeyNotFoundException($"There is no job {jobId}, or its result has expired.");
    }

    public ValueTask CancelAsync(Guid jobId, CancellationToken cancellationToken = default)
    {
        JobRecord? record;
        lock (_work)
        {
            if (!_records.TryGetValue(jobId, out record) || record.HasEnded)
                return ValueTask.CompletedTask;
            if (_board.Remove(record.Job))
            {
                End(record, new GenerationProgress.Cancelled(jobId));
                ReportPositions();
                return ValueTask.CompletedTask;
            }
        }
        record.Cancellation.Cancel();
        return ValueTask.CompletedTask;
    }

    /// <summary>Blocks until there is a job for this device and one of these models; null once the queue is closed.</summary>
    internal JobRecord? Take(IReadOnlyCollection<string> models, string device)
    {
        lock (_work)
        {
            while (true)
            {
                if (_isClosed)
                    return null;
                if (_board.Take(job => models.Contains(job.Recipe.Model) && (_records[job.Id].Device ?? device) == device) is { } job)
                {
                    _running++;
                    ReportPositions();
                    var record = _records[job.Id];
                    record.Started = clock.GetTimestamp();
                    return record;
                }
                Monitor.Wait(_work);
            }
        }
    }

    internal void Completed(JobRecord record, GenerationResult result)
    {
        var waited = clock.GetElapsedTime(record.Accepted, record.Started);
        IReadOnlyList<StageTiming> timings = [new(StageTiming.Wait, waited), .. result.Timings];
        var total = clock.GetElapsedTime(record.Started);
        Log.Completed(logger, record.Job.Id, record.Job.Recipe.Model, record.Job.Canvas is not null, record.Job.Recipe.Edits.Count,
            waited.TotalMilliseconds, total.TotalMilliseconds, string.Join(' ', result.Timings.Select(stage => FormattableString.Invariant($"{stage.Stage}={stage.Duration.TotalMilliseconds:0.0}"))));
        Log.Prompt(logger, record.Job.Id, record.Job.Recipe.Prompt);
        record.Telemetry?.Completed(timings, waited + total);
        lock (_work)
            _serviceTime.Add(total);
        Ended(record, new GenerationProgress.Completed(result with { Timings = timings }));
    }

    internal void Ended(JobRecord record, GenerationProgress last)
    {
        lock (_work)
        {
            _running--;
            _board.Ended(record.Job);
            End(record, last);
            if (last is not GenerationProgress.Completed)
                Log.Ended(logger, record.Job.Id, last.GetType().Name, (last as GenerationProgress.Failed)?.Message);
            Monitor.PulseAll(_work);
        }
    }

    /// <summary>Ends a job whose device, not the job itself, is at fault.</summary>
    internal void DeviceFailed(JobRecord record, Exception fault)
    {
        record.Fault = fault;
        Ended(record, new GenerationProgress.Failed(record.Job.Id, "The picture could not be made; see the server's log for the reason."));
    }

    /// <summary>The device's error for a failed job; null if the job itself was at fault.</summary>
    internal Exception? FaultOf(Guid jobId)
    {
        lock (_work)
            return _records.GetValueOrDefault(jobId)?.Fault;
    }

    /// <summary>Call when a host's models are loaded or have failed to load: fails the waiting jobs that no model can run, and wakes the hosts.</summary>
    internal void ModelsChanged()
    {
        lock (_work)
        {
            foreach (var job in _board.Waiting().ToArray())
                if (Problem(job) is { } problem && _board.Remove(job))
                    End(_records[job.Id], new GenerationProgress.Failed(job.Id, problem));
            Monitor.PulseAll(_work);
        }
    }

    private string? Problem(GenerationJob job)
    {
        try
        {
            Check?.Invoke(job);
            return null;
        }
        catch (RecipeException exception)
        {
            return exception.Message;
        }
    }

    /// <summary>Refuses new jobs, waits up to the grace period for the accepted ones, cancels the rest, and closes the queue.</summary>
    internal async Task DrainAsync(CancellationToken cancellation)
    {
        lock (_work)
            _isDraining = true;
        var start = clock.GetTimestamp();
        while (!IsIdle() && clock.GetElapsedTime(start) < options.Value.Grace && !cancellation.IsCancellationRequested)
            await Task.Delay(TimeSpan.FromMilliseconds(20), clock, CancellationToken.None).ConfigureAwait(false);
        JobRecord[] left;
        lock (_work)
        {
            left = [.. _records.Values.Where(record => !record.HasEnded)];
            foreach (var record in left)
                if (_board.Remove(record.Job))
                    End(record, new GenerationProgress.Cancelled(record.Job.Id));
            _isClosed = true;
            Monitor.PulseAll(_work);
        }
        foreach (var record in left)
            record.Cancellation.Cancel();

        bool IsIdle()
        {
            lock (_work)
                return _running == 0 && _board.Count == 0;
        }
    }

    /// <summary>Releases the hosts' threads; there are no more jobs for them.</summary>
    internal void Close()
    {
        lock (_work)
        {
            _isClosed = true;
            Monitor.PulseAll(_work);
        }
    }

    private void End(JobRecord record, GenerationProgress last)
    {
        record.Report(last);
        foreach (var forgotten in _finished.Add(record))
            _records.Remove(forgotten.Id);
    }

    private void ReportPositions()
    {
        foreach (var (ahead, job) in _board.Waiting().Index())
            _records[job.Id].Report(new GenerationProgress.Waiting(job.Id, ahead, _serviceTime.Expected(ahead + _running)));
    }

    private static partial class Log
    {
        [LoggerMessage(10, LogLevel.Information, "Job {Job} on {Model}: live {Live}, edits {Edits}, waited {Waited:0.0} ms, took {Took:0.0} ms ({Stages})")]
        public static partial void Completed(ILogger logger, Guid job, string model, bool live, int edits, double waited, double took, string stages);

        [LoggerMessage(11, LogLevel.Debug, "Job {Job}: prompt {Prompt}")]
        public static partial void Prompt(ILogger logger, Guid job, string prompt);

        [LoggerMessage(12, LogLevel.Information, "Job {Job} ended as {End}: {Reason}")]
        public static partial void Ended(ILogger logger, Guid job, string end, string? reason);
    }
}

/// <summary>An accepted job, with its reports and its cancellation.</summary>
internal sealed class JobRecord(GenerationJob job, long accepted) : JobReports(job, new JobTelemetry(job, JobTelemetry.DeviceQueue))
{
    /// <summary>Time stamp.</summary>
    public long Accepted => accepted;

    /// <summary>The device that must run the job; null for any.</summary>
    public string? Device { get; init; }

    /// <summary>Time stamp.</summary>
    public long Started { get; set; }

    /// <summary>The device's error; null if the job itself was at fault.</summary>
    public Exception? Fault { get; set; }

    public CancellationTokenSource Cancellation { get; } = new();
}
