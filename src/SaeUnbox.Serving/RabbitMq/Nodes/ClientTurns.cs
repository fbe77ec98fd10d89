namespace SaeUnbox.Serving.RabbitMq;

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
