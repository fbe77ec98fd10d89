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

/// <summary>
/// Waiting jobs in one line per client. The next job is the first of the client that has been given the least work so far, so a client
/// gets no larger share of the device by having more canvases or larger jobs (start-time fair queueing; Goyal et al., SIGCOMM 1996). Not
/// thread-safe: the owner locks.
/// </summary>
internal sealed class ClientLines
{
    // In the order in which they began to wait. A line without jobs stays while its client is ahead of the others.
    private readonly LinkedList<Line> _lines = [];

    // The work given to the client whose turn was last. A client that comes back starts here, so pauses earn no credit.
    private double _now;

    /// <summary>Number of waiting jobs.</summary>
    public int Count { get; private set; }

    public void Add(GenerationJob job)
    {
        var client = job.Turn;
        var line = _lines.FirstOrDefault(line => line.Client == client);
        if (line is not { Jobs.Count: > 0 })
        {
            var given = Math.Max(line?.Given ?? 0, _now);
            if (line is not null)
                _lines.Remove(line);
            line = new(client) { Given = given };
            _lines.AddLast(line);
        }
        line.Jobs.AddLast(job);
        Count++;
    }

    /// <summary>Puts a job in the place of another one of the same client.</summary>
    public void Replace(GenerationJob older, GenerationJob newer) => NodeOf(older)!.Value.Job.Value = newer;

    /// <summary>Takes the next job that satisfies <paramref name="canRun"/>; null for none.</summary>
    public GenerationJob? Take(Func<GenerationJob, bool> canRun)
    {
        var next = _lines.Select(line => (Line: line, Job: Nodes(line).FirstOrDefault(node => canRun(node.Value))))
            .Where(pair => pair.Job is not null).OrderBy(pair => pair.Line.Given).FirstOrDefault();
        if (next.Job is not { Value: var job } node)
            return null;
        _now = Math.Max(_now, next.Line.Given);
        next.Line.Given += job.Cost;
        Drop(next.Line, node);
        // The client goes to the end, which decides between clients that were given the same.
        _lines.Remove(next.Line);
        _lines.AddLast(next.Line);
        foreach (var line in _lines.Where(line => line.Jobs.Count == 0 && line.Given <= _now).ToArray())
            _lines.Remove(line);
        return job;
    }

    /// <returns>False if the job is not waiting.</returns>
    public bool Remove(GenerationJob job)
    {
        if (NodeOf(job) is not { } found)
            return false;
        Drop(found.Line, found.Job);
        return true;
    }

    /// <summary>The work that waits, of one client or of all.</summary>
    public double Waits(string? client = null) =>
        _lines.Where(line => client is null || line.Client == client).Sum(line => line.Jobs.Sum(job => job.Cost));

    /// <summary>The waiting jobs, roughly in the order in which they will be taken: client by client.</summary>
    public IEnumerable<GenerationJob> InOrder()
    {
        return _lines.SelectMany(Turns).OrderBy(turn => turn.At).Select(turn => turn.Job);

        static IEnumerable<(double At, GenerationJob Job)> Turns(Line line)
        {
            var at = line.Given;
            foreach (var job in line.Jobs)
            {
                yield return (at, job);
                at += job.Cost;
            }
        }
    }

    private (Line Line, LinkedListNode<GenerationJob> Job)? NodeOf(GenerationJob job)
    {
        var line = _lines.FirstOrDefault(line => line.Client == job.Turn);
        var node = line is null ? null : Nodes(line).FirstOrDefault(node => node.Value.Id == job.Id);
        return node is null ? null : (line!, node);
    }

    private void Drop(Line line, LinkedListNode<GenerationJob> node)
    {
        line.Jobs.Remove(node);
        Count--;
    }

    private static IEnumerable<LinkedListNode<GenerationJob>> Nodes(Line line)
    {
        for (var node = line.Jobs.First; node is not null; node = node.Next)
            yield return node;
    }

    private sealed class Line(string client)
    {
        public string Client => client;

        /// <summary>Work given to the client so far.</summary>
        public double Given { get; set; }

        public LinkedList<GenerationJob> Jobs { get; } = [];
    }
}
