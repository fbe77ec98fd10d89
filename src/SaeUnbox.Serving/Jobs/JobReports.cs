using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace SaeUnbox.Serving;

/// <summary>The newest report on a job, and those who watch it.</summary>
/// <param name="job">The job.</param>
/// <param name="telemetry">Told of every report; null where the job is not counted here.</param>
internal class JobReports(GenerationJob job, JobTelemetry? telemetry)
{
    private readonly Lock _lock = new();
    private readonly List<Channel<GenerationProgress>> _watchers = [];
    private GenerationProgress _newest = new GenerationProgress.Waiting(job.Id, 0, null);

    public Guid Id => job.Id;

    public GenerationJob Job => job;

    public JobTelemetry? Telemetry => telemetry;

    public GenerationProgress Newest
    {
        get
        {
            lock (_lock)
                return _newest;
        }
    }

    public bool HasEnded => Newest.IsFinal;

    /// <summary>Bytes its result holds.</summary>
    public int ResultBytes => Newest is GenerationProgress.Completed done ? done.Result.Picture.Length + done.Result.Maps.All.Sum(map => map.Values.Length * 8) : 0;

    /// <summary>Tells all who watch; what comes behind a final report is dropped.</summary>
    /// <returns>False where it was dropped.</returns>
    public bool Report(GenerationProgress progress)
    {
        lock (_lock)
        {
            if (_newest.IsFinal)
                return false;
            _newest = progress;
            telemetry?.Became(progress);
            foreach (var watcher in _watchers)
            {
                watcher.Writer.TryWrite(progress);
                if (progress.IsFinal)
                    watcher.Writer.TryComplete();
            }
            if (progress.IsFinal)
                _watchers.Clear();
            return true;
        }
    }

    /// <summary>The newest report, then every one that follows; a slow reader skips to the newest.</summary>
    public async IAsyncEnumerable<GenerationProgress> WatchAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        var channel = Channel.CreateBounded<GenerationProgress>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true });
        lock (_lock)
        {
            channel.Writer.TryWrite(_newest);
            if (_newest.IsFinal)
                channel.Writer.TryComplete();
            else
                _watchers.Add(channel);
        }
        try
        {
            await foreach (var progress in channel.Reader.ReadAllAsync(cancellation).ConfigureAwait(false))
                yield return progress;
        }
        finally
        {
            lock (_lock)
                _watchers.Remove(channel);
        }
    }
}

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

/// <summary>How long jobs take, as a running average.</summary>
internal sealed class ServiceTime
{
    private const double Share = .2;
    private TimeSpan? _average;

    public void Add(TimeSpan time) => _average = _average is { } average ? average + ((time - average) * Share) : time;

    /// <summary>The average; null while nothing was measured.</summary>
    public TimeSpan? Average => _average;

    /// <summary>The wait behind so many jobs; null while nothing was measured.</summary>
    public TimeSpan? Expected(int jobsAhead) => _average * jobsAhead;
}
