namespace SaeUnbox.Serving.RabbitMq;

/// <summary>The workers that announced themselves within <paramref name="timeout"/>. Thread-safe.</summary>
internal sealed class WorkerDirectory(TimeSpan timeout, TimeProvider clock)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, (Announcement Last, long At)> _nodes = [];
    private TaskCompletionSource _changed = New();

    public IReadOnlyList<WorkerInfo> Workers
    {
        get
        {
            lock (_lock)
                return [.. _nodes.Values
                    .Where(node => clock.GetElapsedTime(node.At) <= timeout)
                    .SelectMany(node => node.Last.Devices)
                    .OrderBy(worker => worker.Name, StringComparer.Ordinal)];
        }
    }

    /// <summary>The distinct models of all workers, sorted by name.</summary>
    public IReadOnlyList<ModelInfo> Models => [.. Workers
        .SelectMany(worker => worker.Models)
        .DistinctBy(model => model.Name)
        .OrderBy(model => model.Name, StringComparer.Ordinal)];

    public void Update(Announcement announcement)
    {
        TaskCompletionSource changed;
        lock (_lock)
        {
            _nodes[announcement.Node] = (announcement, clock.GetTimestamp());
            foreach (var (node, _) in _nodes.Where(node => node.Value.Last.Devices.Count == 0
                || clock.GetElapsedTime(node.Value.At) > timeout)
                .ToArray())
                _nodes.Remove(node);
            (changed, _changed) = (_changed, New());
        }
        changed.TrySetResult();
    }

    public IEnumerable<WorkerInfo> WorkersWith(string model) => Workers.Where(worker => worker.Models.Any(held => held.Name == model));

    /// <summary>How many workers have a model.</summary>
    public int Count(string model) => WorkersWith(model).Count();

    public bool Holds(string worker, string model) => WorkersWith(model).Any(known => known.Name == worker);

    /// <summary>The expected wait behind <paramref name="ahead"/> jobs of a model; null if no worker has measured one yet.</summary>
    public TimeSpan? ExpectedWait(string model, int ahead)
    {
        var workers = WorkersWith(model).ToArray();
        return workers.Select(worker => worker.ServiceTime).OfType<TimeSpan>().ToArray() is { Length: > 0 } times
            ? TimeSpan.FromTicks((long)times.Average(time => time.Ticks)) * ahead / workers.Length
            : null;
    }

    /// <summary>Waits until there is a worker; false if there is none within <paramref name="patience"/>.</summary>
    public async Task<bool> AnyAsync(TimeSpan patience, CancellationToken cancellation = default)
    {
        var start = clock.GetTimestamp();
        while (true)
        {
            Task changed;
            lock (_lock)
                changed = _changed.Task;
            if (Workers.Count > 0)
                return true;
            var left = patience == Timeout.InfiniteTimeSpan ? patience : patience - clock.GetElapsedTime(start);
            if (left <= TimeSpan.Zero && left != Timeout.InfiniteTimeSpan)
                return false;
            await changed.WaitAsync(left, clock, cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            cancellation.ThrowIfCancellationRequested();
        }
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
