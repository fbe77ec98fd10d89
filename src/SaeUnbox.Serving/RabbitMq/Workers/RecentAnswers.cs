namespace SaeUnbox.Serving.RabbitMq;

/// <summary>The answers given last. A job whose answer the broker has, but not its receipt, comes again; it is not done again.</summary>
internal sealed class RecentAnswers(long mostBytes = 64L << 20)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<Guid, byte[]> _answers = [];
    private readonly Queue<Guid> _age = [];
    private long _bytes;

    public void Add(Guid job, byte[] answer)
    {
        lock (_lock)
        {
            if (!_answers.TryAdd(job, answer))
                return;
            _age.Enqueue(job);
            _bytes += answer.Length;
            while (_bytes > mostBytes && _answers.Remove(_age.Dequeue(), out var oldest))
                _bytes -= oldest.Length;
        }
    }

    public byte[]? Find(Guid job)
    {
        lock (_lock)
            return _answers.GetValueOrDefault(job);
    }
}
