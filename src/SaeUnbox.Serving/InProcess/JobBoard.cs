namespace SaeUnbox.Serving;

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
