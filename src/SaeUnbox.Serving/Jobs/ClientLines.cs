namespace SaeUnbox.Serving;

/// <summary>
/// Waiting jobs in one line per client. The next job is the first of the client that has been given the least work so far, so a client
/// gets no larger share of the device by having more canvases or larger jobs (start-time fair queueing; Goyal et al., SIGCOMM 1996). Not
/// thread-safe: the owner locks.
/// </summary>
internal sealed class ClientLines
{
    // In the order in which they began to wait. A line without jobs stays while its client is ahead of the others.
    private readonly LinkedList<Line> _lines = [];
    private readonly Dictionary<string, Line> _byClient = [];

    // The work given to the client whose turn was last. A client that comes back starts here, so pauses earn no credit.
    private double _now;

    /// <summary>Number of waiting jobs.</summary>
    public int Count { get; private set; }

    public void Add(GenerationJob job)
    {
        var client = job.Turn;
        var line = LineOf(client);
        if (line is not { Jobs.Count: > 0 })
        {
            var given = Math.Max(line?.Given ?? 0, _now);
            if (line is not null)
                _lines.Remove(line);
            line = Append(client, given);
        }
        line.Jobs.AddLast(job);
        Count++;
    }

    /// <summary>Puts a job in the place of another one of the same client.</summary>
    public void Replace(GenerationJob older, GenerationJob newer)
    {
        if (NodeOf(older) is { } found)
            found.Job.Value = newer;
    }

    /// <summary>Takes the next job that satisfies <paramref name="canRun"/>; null for none.</summary>
    public GenerationJob? Take(Func<GenerationJob, bool> canRun)
    {
        var next = _lines.Select(line => (Line: line, Job: Nodes(line).FirstOrDefault(node => canRun(node.Value))))
            .Where(pair => pair.Job is not null).OrderBy(pair => pair.Line.Given).FirstOrDefault();
        if (next.Job is not { Value: var job } node)
            return null;
        _now = Math.Max(_now, next.Line.Given);
        next.Line.Given += job.Cost;
        Drop(next.Line, node);
        // The client goes to the end, which decides between clients that were given the same.
        _lines.Remove(next.Line);
        _lines.AddLast(next.Line);
        foreach (var line in _lines.Where(line => line.Jobs.Count == 0 && line.Given <= _now).ToArray())
        {
            _lines.Remove(line);
            _byClient.Remove(line.Client);
        }
        return job;
    }

    /// <returns>False if the job is not waiting.</returns>
    public bool Remove(GenerationJob job)
    {
        if (NodeOf(job) is not { } found)
            return false;
        Drop(found.Line, found.Job);
        return true;
    }

    /// <summary>The work that waits, of one client or of all.</summary>
    public double Waits(string? client = null) =>
        _lines.Where(line => client is null || line.Client == client).Sum(line => line.Jobs.Sum(job => job.Cost));

    /// <summary>The work given to a client so far. Only differences between clients mean something.</summary>
    public double Given(string client) => LineOf(client)?.Given ?? _now;

    /// <summary>Adds work to what a client was given, besides that of the jobs it takes.</summary>
    public void Charge(string client, double work)
    {
        var line = LineOf(client) ?? Append(client, _now);
        line.Given += work;
    }

    /// <summary>The waiting jobs, roughly in the order in which they will be taken: client by client.</summary>
    public IEnumerable<GenerationJob> InOrder()
    {
        return _lines.SelectMany(Turns).OrderBy(turn => turn.At).Select(turn => turn.Job);

        static IEnumerable<(double At, GenerationJob Job)> Turns(Line line)
        {
            var at = line.Given;
            foreach (var job in line.Jobs)
            {
                yield return (at, job);
                at += job.Cost;
            }
        }
    }

    private Line? LineOf(string client) => _byClient.GetValueOrDefault(client);

    private Line Append(string client, double given)
    {
        var line = _byClient[client] = new(client) { Given = given };
        _lines.AddLast(line);
        return line;
    }

    private (Line Line, LinkedListNode<GenerationJob> Job)? NodeOf(GenerationJob job)
    {
        var line = LineOf(job.Turn);
        var node = line is null ? null : Nodes(line).FirstOrDefault(node => node.Value.Id == job.Id);
        return node is null ? null : (line!, node);
    }

    private void Drop(Line line, LinkedListNode<GenerationJob> node)
    {
        line.Jobs.Remove(node);
        Count--;
    }

    private static IEnumerable<LinkedListNode<GenerationJob>> Nodes(Line line)
    {
        for (var node = line.Jobs.First; node is not null; node = node.Next)
            yield return node;
    }

    private sealed class Line(string client)
    {
        public string Client => client;

        /// <summary>Work given to the client so far.</summary>
        public double Given { get; set; }

        public LinkedList<GenerationJob> Jobs { get; } = [];
    }
}
