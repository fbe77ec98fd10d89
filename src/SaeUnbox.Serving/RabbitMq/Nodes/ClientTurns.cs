namespace SaeUnbox.Serving.RabbitMq;

/// <summary>
/// Limits how much of a client's work is in the broker at once; the rest waits in this node. A client with many canvases, many batch jobs
/// or large pictures therefore does not fill the queues that all share. Not thread-safe: the owner locks.
/// </summary>
/// <param name="workersOf">How many workers have a model.</param>
internal sealed class ClientTurns(Func<string, int> workersOf, TimeProvider clock)
{
    // In default pictures. While workers are busy, a client may be this far ahead of the others, so that clients with jobs of about the
    // same size go on without a pause.
    private const double Lead = 1;

    // How long a client that painted is expected to go on.
    private static readonly TimeSpan Painting = TimeSpan.FromSeconds(5);

    private readonly Queue _live = new(), _batch = new();

    // The last live job for each model, and the last one of any other client.
    private readonly Dictionary<string, (Stroke Last, Stroke? OfAnother)> _strokes = [];

    /// <summary>The work of a job's client that is in the queue for such jobs or waits in this node for it.</summary>
    public double Work(GenerationJob job)
    {
        var queue = QueueOf(job);
        return queue.Held.Waits(job.Turn) + queue.Published.Values.Where(one => one.Turn == job.Turn).Sum(one => one.Cost);
    }

    /// <summary>Lets a job wait for its turn.</summary>
    public void Add(GenerationJob job)
    {
        QueueOf(job).Held.Add(job);
        if (job.Canvas is null)
            return;
        var stroke = new Stroke(job.Turn, clock.GetTimestamp());
        _strokes[job.Recipe.Model] = !_strokes.TryGetValue(job.Recipe.Model, out var before) ? (stroke, null)
            : (stroke, before.Last.Turn == job.Turn ? before.OfAnother : before.Last);
    }

    /// <summary>The jobs to be published now, in this order.</summary>
    public IReadOnlyList<GenerationJob> Next() => [.. Next(_live), .. Next(_batch)];

    /// <summary>Drops a job, held or published.</summary>
    public void Ended(GenerationJob job)
    {
        var queue = QueueOf(job);
        if (!queue.Published.Remove(job.Id))
            queue.Held.Remove(job);
    }

    /// <summary>Drops a held job. A published one stays.</summary>
    /// <returns>Whether it was held.</returns>
    public bool Remove(GenerationJob job) => QueueOf(job).Held.Remove(job);

    /// <summary>Gives the turn of a job, held or published, to another one of the same canvas.</summary>
    public void Replace(GenerationJob job, GenerationJob by)
    {
        var queue = QueueOf(job);
        if (queue.Published.Remove(job.Id))
        {
            queue.Published[by.Id] = by;
            queue.Held.Charge(by.Turn, by.Turn == job.Turn ? Math.Max(0, by.Cost - job.Cost) : by.Cost);
        }
        else if (job.Turn == by.Turn)
            queue.Held.Replace(job, by);
        else if (queue.Held.Remove(job))
            queue.Held.Add(by);
    }

    private Queue QueueOf(GenerationJob job) => job.Canvas is null ? _batch : _live;

    private Queue Other(Queue queue) => queue == _live ? _batch : _live;

    // Whether other clients than that of a job paint with its model.
    private bool DoOthersPaint(GenerationJob job) => _strokes.TryGetValue(job.Recipe.Model, out var strokes)
        && (strokes.Last.Turn == job.Turn ? strokes.OfAnother : strokes.Last) is { At: var at } && clock.GetElapsedTime(at) < Painting;

    private List<GenerationJob> Next(Queue queue)
    {
        var next = new List<GenerationJob>();
        while (queue.Held.Take(Allowed(queue)) is { } job)
        {
            queue.Published[job.Id] = job;
            next.Add(job);
        }
        return next;
    }

    private Func<GenerationJob, bool> Allowed(Queue queue)
    {
        var ofClient = queue.Published.Values.CountBy(job => job.Turn).ToDictionary();
        // Of each model the published jobs, and the least work that one of their clients was given.
        var ofModel = queue.Published.Values.GroupBy(job => job.Recipe.Model)
            .ToDictionary(jobs => jobs.Key, jobs => (Count: jobs.Count(), Least: jobs.Min(job => queue.Held.Given(job.Turn))));
        return job =>
        {
            var (own, workers) = (ofClient.GetValueOrDefault(job.Turn), Math.Max(1, workersOf(job.Recipe.Model)));
            // A client may always have one job in each queue. Beyond that, its jobs in both count together. Otherwise, while one of its
            // batch jobs runs, a live one would stand in front of those of others.
            var elsewhere = Other(queue).Published.Values.Count(one => one.Turn == job.Turn);
            if (own > 0)
                own += elsewhere;
            var isQuiet = !DoOthersPaint(job);
            // While others paint, their next stroke finds a worker that this client does not use.
            var room = isQuiet ? workers : Math.Max(1, workers - 1);
            // One job more than there are workers, so that no worker waits for this node.
            var maySpare = own == workers && elsewhere == 0 && job.Cost <= Lead && isQuiet;
            var (busy, least) = ofModel.GetValueOrDefault(job.Recipe.Model);
            return (own < room || maySpare) && (busy < workers || queue.Held.Given(job.Turn) <= least + Lead);
        };
    }

    // One of the two queues of a model: the jobs that wait here for it, and those that are in it or at a worker.
    private sealed class Queue
    {
        public ClientLines Held { get; } = new();

        public Dictionary<Guid, GenerationJob> Published { get; } = [];
    }

    private sealed record Stroke(string Turn, long At);
}
