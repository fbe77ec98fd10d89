namespace SaeUnbox.Serving;

/// <summary>
/// Decides which job runs next. Each canvas has at most one waiting job, and its newest job replaces an older one, so a canvas that paints
/// fast gets no more turns than others. Batch jobs wait behind canvas jobs, and their clients take turns; now and then a batch job goes
/// first, so that batch jobs do not starve. Not thread-safe: the owner locks.
/// </summary>
internal sealed class JobBoard
{
    /// <summary>After this many canvas jobs in a row, a waiting batch job goes first.</summary>
    private const int MaxLiveInRow = 8;

    private readonly LinkedList<GenerationJob> _live = [];
    private readonly Dictionary<string, LinkedListNode<GenerationJob>> _byCanvas = [];
    private readonly LinkedList<(string Client, Queue<GenerationJob> Jobs)> _batch = [];
    private readonly HashSet<string> _inFlight = [];
    private int _liveInRow;

    /// <summary>Number of waiting jobs.</summary>
    public int Count => _live.Count + _batch.Sum(line => line.Jobs.Count);

    /// <summary>Whether adding this job would replace a waiting one.</summary>
    public bool Replaces(GenerationJob job) => job.Canvas is { } canvas && _byCanvas.ContainsKey(canvas);

    /// <returns>The job that this one replaced; null for none.</returns>
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

    /// <summary>Takes the next job that satisfies <paramref name="canRun"/> and whose canvas has no running job; null for none.</summary>
    public GenerationJob? Take(Func<GenerationJob, bool> canRun)
    {
        var job = _liveInRow >= MaxLiveInRow ? TakeBatch(canRun) ?? TakeLive(canRun) : TakeLive(canRun) ?? TakeBatch(canRun);
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

    /// <summary>
    /// The waiting jobs, roughly in the order in which they will run: canvas jobs first, then batch jobs client by client.
    /// </summary>
    public IEnumerable<GenerationJob> Waiting()
    {
        var lines = _batch.Select(line => line.Jobs.ToArray()).ToArray();
        var longest = lines.Select(line => line.Length).DefaultIfEmpty().Max();
        return _live.Concat(Enumerable.Range(0, longest)
            .SelectMany(turn => lines.Where(line => turn < line.Length).Select(line => line[turn])));
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
            // The client goes to the end of the line.
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
