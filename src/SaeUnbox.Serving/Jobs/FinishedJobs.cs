namespace SaeUnbox.Serving;

/// <summary>Finished jobs that can still be asked for, within bounds of time and bytes. Its owner locks.</summary>
internal sealed class FinishedJobs(TimeSpan keep, long keepBytes, TimeProvider clock)
{
    private readonly Queue<(JobReports Job, long Bytes, long At)> _jobs = [];
    private long _bytes;

    /// <summary>Takes a job that has ended; returns those to be forgotten.</summary>
    public IReadOnlyList<JobReports> Add(JobReports job)
    {
        var bytes = job.ResultBytes;
        _jobs.Enqueue((job, bytes, clock.GetTimestamp()));
        _bytes += bytes;
        var forgotten = new List<JobReports>();
        // The newest stays whatever it weighs: somebody waits for it.
        while (_jobs.Count > 1 && _jobs.Peek() is var oldest && (_bytes > keepBytes || clock.GetElapsedTime(oldest.At) > keep))
        {
            _jobs.Dequeue();
            _bytes -= oldest.Bytes;
            forgotten.Add(oldest.Job);
        }
        return forgotten;
    }
}
