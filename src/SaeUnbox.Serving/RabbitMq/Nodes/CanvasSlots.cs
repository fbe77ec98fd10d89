namespace SaeUnbox.Serving.RabbitMq;

/// <summary>
/// Keeps one job per canvas in the broker, and the newest of the others back in this node. A canvas that paints fast therefore gets no more
/// turns than others. Not thread-safe: the owner locks.
/// </summary>
internal sealed class CanvasSlots
{
    private readonly Dictionary<string, Slot> _slots = [];

    /// <param name="replaced">The held job that this one supersedes; null for none.</param>
    /// <returns>The published job that this one waits for; null if it can be published now.</returns>
    public Guid? Add(string canvas, Guid job, out Guid? replaced)
    {
        replaced = null;
        if (!_slots.TryGetValue(canvas, out var slot))
        {
            _slots[canvas] = new() { Published = job };
            return null;
        }
        (replaced, slot.Held) = (slot.Held, job);
        return slot.Published;
    }

    /// <summary>Call when a worker runs the job <paramref name="by"/> instead of the published one.</summary>
    public void Superseded(string canvas, Guid job, Guid by)
    {
        if (!_slots.TryGetValue(canvas, out var slot) || slot.Published != job)
            return;
        slot.Published = by;
        if (slot.Held == by)
            slot.Held = null;
    }

    /// <returns>The next job of the canvas, to be published now; null for none.</returns>
    public Guid? Ended(string canvas, Guid job)
    {
        if (!_slots.TryGetValue(canvas, out var slot))
            return null;
        if (slot.Held == job)
            slot.Held = null;
        if (slot.Published != job)
            return null;
        if (slot.Held is not { } next)
        {
            _slots.Remove(canvas);
            return null;
        }
        (slot.Published, slot.Held) = (next, null);
        return next;
    }

    /// <summary>Puts a job in the place of one that was not published yet.</summary>
    public void Replace(string canvas, Guid job) => _slots[canvas] = new() { Published = job };

    /// <summary>Drops a held job. A published one stays.</summary>
    public void Remove(string canvas, Guid job)
    {
        if (_slots.TryGetValue(canvas, out var slot) && slot.Held == job)
            slot.Held = null;
    }

    private sealed class Slot
    {
        public Guid Published { get; set; }

        public Guid? Held { get; set; }
    }
}

/// <summary>
/// Remembers which worker ran a canvas's last job, because that worker has the unchanged part of the run cached. Thread-safe.
/// </summary>
internal sealed class CanvasAffinity(TimeProvider clock)
{
    private const int MaxCanvases = 20_000;
    private static readonly TimeSpan Keep = TimeSpan.FromMinutes(10);
    private readonly Lock _lock = new();
    private readonly Dictionary<string, (string Worker, long At)> _workers = [];

    public void Remember(string canvas, string worker)
    {
        lock (_lock)
        {
            if (_workers.Count >= MaxCanvases && !_workers.ContainsKey(canvas))
                foreach (var (old, _) in _workers.OrderBy(pair => pair.Value.At).Take(MaxCanvases / 10).ToArray())
                    _workers.Remove(old);
            _workers[canvas] = (worker, clock.GetTimestamp());
        }
    }

    /// <returns>Null if the canvas is unknown, or its last job was too long ago.</returns>
    public string? WorkerOf(string canvas)
    {
        lock (_lock)
            return _workers.TryGetValue(canvas, out var last) && clock.GetElapsedTime(last.At) < Keep ? last.Worker : null;
    }
}

/// <summary>A job of this node, or one from before its restart whose result arrived.</summary>
/// <param name="sequence">Larger for newer jobs.</param>
/// <param name="accepted">Time stamp.</param>
/// <param name="telemetry">Null for a job from before the restart.</param>
internal sealed class NodeJob(GenerationJob job, long sequence, long accepted, JobTelemetry? telemetry) : JobReports(job, telemetry)
{
    private volatile string? _waitsIn;

    public long Sequence => sequence;

    /// <summary>Time stamp.</summary>
    public long Accepted { get; } = accepted;

    /// <summary>Time stamp of the last report on the job.</summary>
    public long LastHeard { get; set; } = accepted;

    /// <summary>
    /// The shared queue the job waits in, or will fall back to from its preferred worker's queue. Null before it is published and once a
    /// worker has it.
    /// </summary>
    public string? WaitsIn
    {
        get => _waitsIn;
        set => _waitsIn = value;
    }
}
