namespace SaeUnbox.Serving.RabbitMq;

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
