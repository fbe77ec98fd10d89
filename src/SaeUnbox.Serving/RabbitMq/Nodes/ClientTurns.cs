namespace SaeUnbox.Serving.RabbitMq;

/// <summary>
/// Limits how much of a client's work is in the broker at once; the rest waits in this node. A client with many canvases, many batch jobs
/// or large pictures therefore does not fill the queue that all share. Not thread-safe: the owner locks.
/// </summary>
/// <param name="workersOf">How many workers have a model.</param>
/// <param name="keepsOneReady">
/// Whether a client may always have one job more in the broker than there are workers, so that no worker waits for this node. Otherwise
/// only while no other client has jobs.
/// </param>
internal sealed class ClientTurns(Func<string, int> workersOf, bool keepsOneReady)
{
    // In default pictures. While workers are busy, a client may be this far ahead of the others, so that clients with jobs of about the
    // same size go on without a pause.
    private const double Lead = 1;

    private readonly ClientLines _held = new();
    private readonly Dictionary<Guid, GenerationJob> _published = [];

    /// <summary>The work of a client, or of all, in the broker and in this node.</summary>
    public double Work(string? client = null) =>
        _held.Waits(client) + _published.Values.Where(job => client is null || job.Turn == client).Sum(job => job.Cost);

    /// <summary>Lets a job wait for its turn.</summary>
    public void Add(GenerationJob job) => _held.Add(job);

    /// <summary>The jobs to be published now, in this order.</summary>
    public IReadOnlyList<GenerationJob> Next()
    {
        var next = new List<GenerationJob>();
        while (_held.Take(Allowed()) is { } job)
        {
            _published[job.Id] = job;
            next.Add(job);
        }
        return next;
    }

    /// <summary>Drops a job, held or published.</summary>
    public void Ended(GenerationJob job)
    {
        if (!_published.Remove(job.Id))
            _held.Remove(job);
    }

    /// <summary>Drops a held job. A published one stays.</summary>
    /// <returns>Whether it was held.</returns>
    public bool Remove(GenerationJob job) => _held.Remove(job);

    /// <summary>Gives the turn of a job, held or published, to another one.</summary>
    public void Replace(GenerationJob job, GenerationJob by)
    {
        if (_published.Remove(job.Id))
        {
            _published[by.Id] = by;
            _held.Charge(by.Turn, by.Turn == job.Turn ? Math.Max(0, by.Cost - job.Cost) : by.Cost);
        }
        else if (job.Turn == by.Turn)
            _held.Replace(job, by);
        else if (_held.Remove(job))
            _held.Add(by);
    }

    private Func<GenerationJob, bool> Allowed()
    {
        var ofClient = _published.Values.CountBy(job => job.Turn).ToDictionary();
        // Of each model the published jobs, and the least work that one of their clients was given.
        var ofModel = _published.Values.GroupBy(job => job.Recipe.Model)
            .ToDictionary(jobs => jobs.Key, jobs => (Count: jobs.Count(), Least: jobs.Min(job => _held.Given(job.Turn))));
        return job =>
        {
            var (own, workers) = (ofClient.GetValueOrDefault(job.Turn), Math.Max(1, workersOf(job.Recipe.Model)));
            var maySpare = own == workers && job.Cost <= Lead && (keepsOneReady || !HasOthers());
            var (busy, least) = ofModel.GetValueOrDefault(job.Recipe.Model);
            return (own < workers || maySpare) && (busy < workers || _held.Given(job.Turn) <= least + Lead);

            bool HasOthers() => ofClient.Count > (own > 0 ? 1 : 0) || _held.HasOthers(job.Turn);
        };
    }
}
