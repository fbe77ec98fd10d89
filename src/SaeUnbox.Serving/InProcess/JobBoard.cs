namespace SaeUnbox.Serving;

/// <summary>
/// Which job comes next. Of a canvas one job waits at most, and the newest takes the place of the one before it, so each canvas has its
/// turn however fast it paints. Jobs without a canvas wait behind those with one, in turns between those who ask; every so often
/// one of them goes first, so that they are never left behind. Not safe for threads: its owner locks.
/// </summary>
internal sealed class JobBoard
{
    /// <summary>Of so many jobs in a row one is without a canvas, where any waits.</summary>
    private const int BatchEvery = 8;

    private readonly LinkedList<GenerationJob> _live = [];
    private readonly Dictionary<string, LinkedListNode<GenerationJob>> _byCanvas = [];
    private readonly LinkedList<(string Client, Queue<GenerationJob> Jobs)> _batch = [];
    private readonly HashSet<string> _inFlight = [];
    private int _liveInRow;

    /// <summary>Jobs that wait.</summary>
    public int Count => _live.Count + _batch.Sum(line => line.Jobs.Count);

    /// <summary>True where adding this job replaces one that waits.</summary>
    public bool Replaces(GenerationJob job) => job.Canvas is { } canvas && _byCanvas.ContainsKey(canvas);

    /// <summary>Takes a job; returns the one it replaced.</summary>
    public GenerationJob? Add(GenerationJob job)
    {
        if (job.Canvas is not { } canvas)
        {
            LineOf(job.Client ?? "").Enqueue(job);
            return null;
        }
        if (_byCanvas.TryGetValue(canvas, out var waiting))
        {
            var replaced = waiting.Value;
            waiting.Value = job;
            return replaced;
        }
        _byCanvas[canvas] = _live.AddLast(job);
        return null;
    }

    /// <summary>The next job whose model is at hand, and whose canvas has none running; null where there is none.</summary>
    public GenerationJob? Take(Func<GenerationJob, bool> canRun)
    {
        var job = _liveInRow >= BatchEvery ? TakeBatch(canRun) ?? TakeLive(canRun) : TakeLive(canRun) ?? TakeBatch(canRun);
        if (job is null)
            return null;
        _liveInRow = job.Canvas is null ? 0 : _liveInRow + 1;
        if (job.Canvas is { } canvas)
            _inFlight.Add(canvas);
        return job;
    }

    /// <summary>A job that was taken has ended: its canvas may have the next.</summary>
    public void Ended(GenerationJob job)
    {
        if (job.Canvas is { } canvas)
            _inFlight.Remove(canvas);
    }

    /// <summary>Takes a waiting job off; false where it does not wait.</summary>
    public bool Remove(GenerationJob job)
    {
        if (job.Canvas is { } canvas)
        {
            if (!_byCanvas.TryGetValue(canvas, out var node) || node.Value.Id != job.Id)
                return false;
            _live.Remove(node);
            return _byCanvas.Remove(canvas);
        }
        for (var line = _batch.First; line is not null; line = line.Next)
        {
            var kept = line.Value.Jobs.Where(waiting => waiting.Id != job.Id).ToArray();
            if (kept.Length == line.Value.Jobs.Count)
                continue;
            if (kept.Length == 0)
                _batch.Remove(line);
            else
                line.Value = line.Value with { Jobs = new(kept) };
            return true;
        }
        return false;
    }

    /// <summary>The waiting jobs, about in the order they will be taken: those with a canvas, then the others turn by turn.</summary>
    public IEnumerable<GenerationJob> Waiting()
    {
        var lines = _batch.Select(line => line.Jobs.ToArray()).ToArray();
        var longest = lines.Select(line => line.Length).DefaultIfEmpty().Max();
        return _live.Concat(Enumerable.Range(0, longest).SelectMany(turn => lines.Where(line => turn < line.Length).Select(line => line[turn])));
    }

    private GenerationJob? TakeLive(Func<GenerationJob, bool> canRun)
    {
        for (var node = _live.First; node is not null; node = node.Next)
        {
            if (_inFlight.Contains(node.Value.Canvas!) || !canRun(node.Value))
                continue;
            _live.Remove(node);
            _byCanvas.Remove(node.Value.Canvas!);
            return node.Value;
        }
        return null;
    }

    private GenerationJob? TakeBatch(Func<GenerationJob, bool> canRun)
    {
        for (var line = _batch.First; line is not null; line = line.Next)
        {
            if (!canRun(line.Value.Jobs.Peek()))
                continue;
            var job = line.Value.Jobs.Dequeue();
            // Who had a turn goes to the end.
            _batch.Remove(line);
            if (line.Value.Jobs.Count > 0)
                _batch.AddLast(line);
            return job;
        }
        return null;
    }

    private Queue<GenerationJob> LineOf(string client)
    {
        foreach (var line in _batch)
            if (line.Client == client)
                return line.Jobs;
        return _batch.AddLast((client, new())).Value.Jobs;
    }
}
