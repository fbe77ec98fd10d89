namespace SaeUnbox.Serving.RabbitMq;

/// <summary>The workers heard of lately.</summary>
internal sealed class WorkerDirectory(TimeSpan keep, TimeProvider clock) : IWorkerDirectory
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, (Announcement Said, long At)> _nodes = [];
    private TaskCompletionSource _changed = New();

    public IReadOnlyList<WorkerInfo> Workers
    {
        get
        {
            lock (_lock)
                return [.. _nodes.Values.Where(node => clock.GetElapsedTime(node.At) <= keep).SelectMany(node => node.Said.Devices).OrderBy(worker => worker.Name, StringComparer.Ordinal)];
        }
    }

    public IReadOnlyList<ModelInfo> Models => [.. Workers.SelectMany(worker => worker.Models).DistinctBy(model => model.Name).OrderBy(model => model.Name, StringComparer.Ordinal)];

    public void Take(Announcement announcement)
    {
        TaskCompletionSource changed;
        lock (_lock)
        {
            _nodes[announcement.Node] = (announcement, clock.GetTimestamp());
            foreach (var (node, _) in _nodes.Where(node => node.Value.Said.Devices.Count == 0 || clock.GetElapsedTime(node.Value.At) > keep).ToArray())
                _nodes.Remove(node);
            (changed, _changed) = (_changed, New());
        }
        changed.TrySetResult();
    }

    /// <summary>Whether this worker is there and holds the model.</summary>
    public bool Holds(string worker, string model) => Workers.Any(known => known.Name == worker && known.Models.Any(held => held.Name == model));

    /// <summary>Waits until some worker is heard of.</summary>
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
