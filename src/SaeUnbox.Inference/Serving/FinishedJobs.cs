namespace SaeUnbox.Inference;

/// <summary>Finished jobs that can still be asked for, within bounds of time and bytes. Its owner locks.</summary>
internal sealed class FinishedJobs(ServingOptions options, TimeProvider clock)
{
    private readonly Queue<(Guid Id, long Bytes, long At)> _jobs = [];
    private long _bytes;

    /// <summary>Takes a job that has ended; returns those to be forgotten.</summary>
    public IReadOnlyList<Guid> Add(JobRecord record)
    {
        var bytes = record.ResultBytes;
        _jobs.Enqueue((record.Job.Id, bytes, clock.GetTimestamp()));
        _bytes += bytes;
        var forgotten = new List<Guid>();
        // The newest stays whatever it weighs: somebody waits for it.
        while (_jobs.Count > 1 && _jobs.Peek() is var oldest && (_bytes > options.KeepBytes || clock.GetElapsedTime(oldest.At) > options.KeepResults))
        {
            _jobs.Dequeue();
            _bytes -= oldest.Bytes;
            forgotten.Add(oldest.Id);
        }
        return forgotten;
    }
}

/// <summary>How long jobs take, as a running average.</summary>
internal sealed class ServiceTime
{
    private const double Share = .2;
    private TimeSpan? _average;

    public void Add(TimeSpan time) => _average = _average is { } average ? average + ((time - average) * Share) : time;

    /// <summary>The wait behind so many jobs; null while nothing was measured.</summary>
    public TimeSpan? Expected(int jobsAhead) => _average * jobsAhead;
}
