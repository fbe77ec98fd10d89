namespace SaeUnbox.Serving.RabbitMq;

/// <summary>What this worker was told of superseded and cancelled jobs, for as long as such jobs may wait.</summary>
internal sealed class ControlTable(TimeSpan keep, TimeProvider clock)
{
    private const int Most = 4096;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, JobMessage> _newest = [];
    private readonly HashSet<Guid> _cancelled = [];
    private readonly Queue<(long At, Action Forget)> _age = [];

    /// <summary>Told of each message, once the table knows it.</summary>
    public event Action<ControlMessage>? Told;

    public void Take(ControlMessage message)
    {
        lock (_lock)
        {
            if (message.Newer is { Canvas: { } canvas } newer && (!_newest.TryGetValue(canvas, out var known) || known.Sequence < newer.Sequence))
            {
                _newest[canvas] = newer;
                Remember(() => _ = _newest.TryGetValue(canvas, out var present) && present == newer && _newest.Remove(canvas));
            }
            if (message.Cancelled is { } id && _cancelled.Add(id))
                Remember(() => _cancelled.Remove(id));
            while (_age.Count > Most || (_age.TryPeek(out var oldest) && clock.GetElapsedTime(oldest.At) > keep))
                _age.Dequeue().Forget();
        }
        Told?.Invoke(message);
    }

    /// <summary>The newest job that takes this one's place; null where there is none. It is of the same model.</summary>
    public JobMessage? NewerThan(JobMessage job)
    {
        lock (_lock)
            return job.Canvas is { } canvas && _newest.TryGetValue(canvas, out var newest) && newest.Sequence > job.Sequence && newest.Recipe.Model == job.Recipe.Model ? newest : null;
    }

    public bool IsCancelled(Guid job)
    {
        lock (_lock)
            return _cancelled.Contains(job);
    }

    private void Remember(Action forget) => _age.Enqueue((clock.GetTimestamp(), forget));
}
