namespace SaeUnbox.Serving.RabbitMq;

/// <summary>
/// Of each canvas the one job that the broker has, and the newest that waits for it in this node. So a canvas has one job in flight, and
/// however fast it paints it takes no more turns than others. Its owner locks.
/// </summary>
internal sealed class CanvasSlots
{
    private readonly Dictionary<string, Slot> _slots = [];

    /// <summary>Jobs that wait here.</summary>
    public int Held => _slots.Values.Count(slot => slot.Held is not null);

    /// <summary>Takes a job.</summary>
    /// <param name="canvas">Its canvas.</param>
    /// <param name="job">The job.</param>
    /// <param name="replaced">The job that waited in its place; it is superseded.</param>
    /// <returns>The job the broker has, behind which it waits; null where it is to be published now.</returns>
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

    /// <summary>A worker put a newer job in the place of the published one.</summary>
    public void Superseded(string canvas, Guid job, Guid by)
    {
        if (!_slots.TryGetValue(canvas, out var slot) || slot.Published != job)
            return;
        slot.Published = by;
        if (slot.Held == by)
            slot.Held = null;
    }

    /// <summary>A job has ended.</summary>
    /// <returns>The next of its canvas, to be published now; null where there is none.</returns>
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

    /// <summary>Takes a waiting job off; false where the broker has it.</summary>
    public bool Remove(string canvas, Guid job)
    {
        if (!_slots.TryGetValue(canvas, out var slot) || slot.Held != job)
            return false;
        slot.Held = null;
        return true;
    }

    private sealed class Slot
    {
        public Guid Published { get; set; }

        public Guid? Held { get; set; }
    }
}

/// <summary>
/// Of each client's batch jobs the broker has as many as keep the workers busy; the others wait in this node until one of those has ended. So
/// whoever asks for much stands in the line that all nodes share with no more than others do. Its owner locks.
/// </summary>
internal sealed class ClientTurns
{
    private readonly Dictionary<string, Line> _lines = [];

    /// <summary>Jobs of a client, with the broker and here.</summary>
    public int Count(string client) => _lines.TryGetValue(client, out var line) ? line.Out.Count + line.Held.Count : 0;

    /// <summary>Takes a job; true where it is to be published now.</summary>
    /// <param name="client">Whose it is.</param>
    /// <param name="job">The job.</param>
    /// <param name="most">How many of a client the broker may have.</param>
    public bool Add(string client, Guid job, int most)
    {
        if (!_lines.TryGetValue(client, out var line))
            _lines[client] = line = new();
        if (line.Out.Count < most)
            return line.Out.Add(job);
        line.Held.AddLast(job);
        return false;
    }

    /// <summary>A job has ended.</summary>
    /// <returns>Those to be published now, the oldest first.</returns>
    public IReadOnlyList<Guid> Ended(string client, Guid job, int most)
    {
        if (!_lines.TryGetValue(client, out var line))
            return [];
        if (!line.Out.Remove(job))
            line.Held.Remove(job);
        var next = new List<Guid>();
        for (; line.Out.Count < most && line.Held.First is { Value: var oldest }; line.Held.RemoveFirst())
        {
            line.Out.Add(oldest);
            next.Add(oldest);
        }
        if (line.Out.Count == 0)
            _lines.Remove(client);
        return next;
    }

    /// <summary>Takes a waiting job off; nothing happens where the broker has it.</summary>
    public void Remove(string client, Guid job)
    {
        if (_lines.TryGetValue(client, out var line))
            line.Held.Remove(job);
    }

    private sealed class Line
    {
        public HashSet<Guid> Out { get; } = [];

        public LinkedList<Guid> Held { get; } = [];
    }
}

/// <summary>Which worker did a canvas's last job: it holds the unchanged part of the run. Its owner locks.</summary>
internal sealed class Affinity(TimeProvider clock)
{
    private const int Most = 20_000;
    private static readonly TimeSpan Keep = TimeSpan.FromMinutes(10);
    private readonly Dictionary<string, (string Worker, long At)> _workers = [];

    public void Did(string canvas, string worker)
    {
        if (_workers.Count >= Most && !_workers.ContainsKey(canvas))
            foreach (var (old, _) in _workers.OrderBy(pair => pair.Value.At).Take(Most / 10).ToArray())
                _workers.Remove(old);
        _workers[canvas] = (worker, clock.GetTimestamp());
    }

    public string? Of(string canvas) => _workers.TryGetValue(canvas, out var last) && clock.GetElapsedTime(last.At) < Keep ? last.Worker : null;
}

/// <summary>A job of this node, or one of its earlier life that came home.</summary>
/// <param name="job">The job.</param>
/// <param name="sequence">Larger for newer jobs.</param>
/// <param name="accepted">Time stamp of its acceptance.</param>
/// <param name="telemetry">Told of its course; null for a job of this node's earlier life.</param>
internal sealed class NodeJob(GenerationJob job, long sequence, long accepted, JobTelemetry? telemetry) : JobReports(job, telemetry)
{
    public long Sequence => sequence;

    /// <summary>Time stamp of its acceptance.</summary>
    public long Accepted { get; } = accepted;

    /// <summary>Time stamp of when it was last heard of.</summary>
    public long LastSign { get; set; } = accepted;

    /// <summary>The queue for all workers that it waits in, or will, where its own worker does not take it; null while it is not published, and once a worker has it.</summary>
    public string? WaitsIn { get; set; }
}
