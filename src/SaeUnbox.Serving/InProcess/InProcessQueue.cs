using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace SaeUnbox.Serving;

/// <summary>The queue of a single process. Its devices take jobs from it.</summary>
internal sealed partial class InProcessQueue(IOptions<ServingOptions> options, TimeProvider clock, ILogger<InProcessQueue> logger)
    : IGenerationQueue
{
    private readonly Lock _work = new();
    private readonly JobBoard _board = new();
    private readonly Dictionary<Guid, JobRecord> _records = [];
    private readonly FinishedJobs _finished = new(options.Value.KeepResults, options.Value.KeepBytes, clock);
    private readonly ServiceTime _serviceTime = new();
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _isClosed, _isDraining;
    private int _running;

    /// <summary>Checks a job against its model. Throws <see cref="RecipeException"/>.</summary>
    public Action<GenerationJob>? Check { get; set; }

    public ValueTask SubmitAsync(GenerationJob job, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Check?.Invoke(job);
        lock (_work)
        {
            if (_records.ContainsKey(job.Id))
                return ValueTask.CompletedTask;
            RequireRoom(job);
            var record = new JobRecord(job, clock.GetTimestamp());
            _records[job.Id] = record;
            if (_board.Add(job) is { } replaced)
                End(_records[replaced.Id], new GenerationProgress.Superseded(replaced.Id));
            ReportPositions();
            Wake();
        }
        return ValueTask.CompletedTask;
    }

    // A client may fill a quarter of the queue, and batch jobs three quarters, so there is always room for those who paint. A job that
    // finds its part empty is accepted whatever its size.
    private void RequireRoom(GenerationJob job)
    {
        var limit = (double)options.Value.QueueLimit;
        var replaced = _board.ReplacedBy(job)?.Cost ?? 0;
        if (_isDraining)
            throw new QueueStoppingException(TimeSpan.FromSeconds(5));
        if (!Fits(_board.Waits - replaced, limit))
            throw Full(null);
        if (job.Client is not null && !Fits(_board.WaitsFor(job) - replaced, limit / 4))
            throw Full("too many of your pictures are already waiting");
        if (job.Canvas is null && !Fits(_board.BatchWaits, limit * 3 / 4))
            throw Full(null);

        bool Fits(double waits, double most) => waits <= 0 || waits + job.Cost <= most;

        QueueFullException Full(string? reason) =>
            new(_serviceTime.Expected(Math.Max(1, _board.Count / 4)) ?? TimeSpan.FromSeconds(1), reason);
    }

    public IAsyncEnumerable<GenerationProgress> WatchAsync(Guid jobId, CancellationToken cancellationToken = default)
    {
        lock (_work)
            return _records.TryGetValue(jobId, out var record)
                ? record.WatchAsync(cancellationToken)
                : throw new KeyNotFoundException($"There is no job {jobId}, or its result has expired.");
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

    /// <summary>Runs jobs on a device until the queue is closed or the device fails for good.</summary>
    internal void Serve(IJobExecutor device) => _ = ServeAsync(device);

    private async Task ServeAsync(IJobExecutor device)
    {
        // The device is not part of any request.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        var models = (await device.GetModelsAsync().ConfigureAwait(false)).Select(model => model.Name).ToHashSet();
        FailImpossible();
        while (models.Count > 0 && device.Failure is null && await TakeAsync(models).ConfigureAwait(false) is { } record)
            await RunAsync(record, device).ConfigureAwait(false);
        FailImpossible();
    }

    // The next job for one of these models; null once the queue is closed.
    private async Task<JobRecord?> TakeAsync(HashSet<string> models)
    {
        while (true)
        {
            Task changed;
            lock (_work)
            {
                if (_isClosed)
                    return null;
                if (_board.Take(job => models.Contains(job.Recipe.Model)) is { } job)
                {
                    _running++;
                    ReportPositions();
                    var record = _records[job.Id];
                    record.Started = clock.GetTimestamp();
                    return record;
                }
                changed = _changed.Task;
            }
            await changed.ConfigureAwait(false);
        }
    }

    private async Task RunAsync(JobRecord record, IJobExecutor device)
    {
        Activity.Current = record.Telemetry?.Span;
        try
        {
            var last = await device.RunAsync(record.Job, progress => record.Report(progress), record.Cancellation.Token)
                .ConfigureAwait(false);
            if (last is GenerationProgress.Completed { Result: var result })
                Completed(record, result);
            else
                Ended(record, last);
        }
        catch (Exception)
        {
            // The device has logged why.
            Ended(record,
                new GenerationProgress.Failed(record.Job.Id, "The picture could not be made; see the server's log for the reason."));
        }
        finally
        {
            Activity.Current = null;
        }
    }

    private void Completed(JobRecord record, GenerationResult result)
    {
        var waited = clock.GetElapsedTime(record.Accepted, record.Started);
        IReadOnlyList<StageTiming> timings = [new(StageTiming.Wait, waited), .. result.Timings];
        var total = clock.GetElapsedTime(record.Started);
        JobLog.Completed(logger, result, record.Job.Canvas is not null, waited, total);
        record.Telemetry?.Completed(timings, waited + total);
        lock (_work)
            _serviceTime.Add(total);
        Ended(record, new GenerationProgress.Completed(result with { Timings = timings }));
    }

    private void Ended(JobRecord record, GenerationProgress last)
    {
        lock (_work)
        {
            _running--;
            _board.Ended(record.Job);
            End(record, last);
            if (last is not GenerationProgress.Completed)
                Log.Ended(logger, record.Job.Id, last.GetType().Name, (last as GenerationProgress.Failed)?.Message);
            Wake();
        }
    }

    // Fails the waiting jobs that no device can run.
    private void FailImpossible()
    {
        lock (_work)
        {
            foreach (var job in _board.Waiting().ToArray())
                if (Problem(job) is { } problem && _board.Remove(job))
                    End(_records[job.Id], new GenerationProgress.Failed(job.Id, problem));
        }
    }

    private void Wake()
    {
        _changed.SetResult();
        _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
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
            Wake();
        }
        foreach (var record in left)
            record.Cancellation.Cancel();

        bool IsIdle()
        {
            lock (_work)
                return _running == 0 && _board.Count == 0;
        }
    }

    /// <summary>Lets the devices go; there are no more jobs for them.</summary>
    internal void Close()
    {
        lock (_work)
        {
            _isClosed = true;
            Wake();
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
        [LoggerMessage(12, LogLevel.Information, "Job {Job} ended as {End}: {Reason}")]
        public static partial void Ended(ILogger logger, Guid job, string end, string? reason);
    }
}

/// <summary>An accepted job, with its reports and its cancellation.</summary>
internal sealed class JobRecord(GenerationJob job, long accepted) : JobReports(job, new JobTelemetry(job, JobTelemetry.DeviceQueue))
{
    /// <summary>Time stamp.</summary>
    public long Accepted => accepted;

    /// <summary>Time stamp.</summary>
    public long Started { get; set; }

    public CancellationTokenSource Cancellation { get; } = new();
}

/// <summary>
/// Decides which job runs next. Each canvas has at most one waiting job, and its newest job replaces an older one, so a canvas that paints
/// fast gets no more turns than others. Clients take turns, then the canvases of each. Batch jobs wait behind canvas jobs; now and then a
/// batch job goes first, so that batch jobs do not starve. Not thread-safe: the owner locks.
/// </summary>
internal sealed class JobBoard
{
    /// <summary>After this many canvas jobs in a row, a waiting batch job goes first.</summary>
    private const int MaxLiveInRow = 8;

    private readonly ClientLines _live = new(), _batch = new();
    private readonly Dictionary<string, GenerationJob> _byCanvas = [];
    private readonly HashSet<string> _inFlight = [];
    private int _liveInRow;

    /// <summary>Number of waiting jobs.</summary>
    public int Count => _live.Count + _batch.Count;

    /// <summary>The work that waits (<see cref="GenerationJob.Cost"/>).</summary>
    public double Waits => _live.Waits() + _batch.Waits();

    /// <summary>The work of batch jobs that waits.</summary>
    public double BatchWaits => _batch.Waits();

    /// <summary>The work that waits for the client of a job.</summary>
    public double WaitsFor(GenerationJob job) => _live.Waits(job.Turn) + _batch.Waits(job.Turn);

    /// <summary>The waiting job that this one would replace; null for none.</summary>
    public GenerationJob? ReplacedBy(GenerationJob job) => job.Canvas is { } canvas ? _byCanvas.GetValueOrDefault(canvas) : null;

    /// <returns>The job that this one replaced; null for none.</returns>
    public GenerationJob? Add(GenerationJob job)
    {
        var replaced = ReplacedBy(job);
        if (job.Canvas is not { } canvas)
            _batch.Add(job);
        else
        {
            if (replaced is not null && replaced.Turn == job.Turn)
                _live.Replace(replaced, job);
            else
            {
                if (replaced is not null)
                    _live.Remove(replaced);
                _live.Add(job);
            }
            _byCanvas[canvas] = job;
        }
        return replaced;
    }

    /// <summary>Takes the next job that satisfies <paramref name="canRun"/> and whose canvas has no running job; null for none.</summary>
    public GenerationJob? Take(Func<GenerationJob, bool> canRun)
    {
        var job = _liveInRow >= MaxLiveInRow ? _batch.Take(canRun) ?? TakeLive(canRun) : TakeLive(canRun) ?? _batch.Take(canRun);
        if (job is null)
            return null;
        _liveInRow = job.Canvas is null ? 0 : _liveInRow + 1;
        if (job.Canvas is { } canvas)
            _inFlight.Add(canvas);
        return job;
    }

    /// <summary>Call when a taken job has ended, so that its canvas's next job can run.</summary>
    public void Ended(GenerationJob job)
    {
        if (job.Canvas is { } canvas)
            _inFlight.Remove(canvas);
    }

    /// <returns>False if the job is not waiting.</returns>
    public bool Remove(GenerationJob job)
    {
        if (job.Canvas is not { } canvas)
            return _batch.Remove(job);
        return _live.Remove(job) && _byCanvas.Remove(canvas);
    }

    /// <summary>The waiting jobs, roughly in the order in which they will run: canvas jobs first.</summary>
    public IEnumerable<GenerationJob> Waiting() => _live.InOrder().Concat(_batch.InOrder());

    private GenerationJob? TakeLive(Func<GenerationJob, bool> canRun)
    {
        var job = _live.Take(job => !_inFlight.Contains(job.Canvas!) && canRun(job));
        if (job is not null)
            _byCanvas.Remove(job.Canvas!);
        return job;
    }
}
