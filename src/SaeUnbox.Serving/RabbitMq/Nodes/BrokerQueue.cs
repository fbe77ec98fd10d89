using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace SaeUnbox.Serving.RabbitMq;

/// <summary>The queue of a web node: jobs go out through the broker, reports come home.</summary>
internal sealed partial class BrokerQueue(IOptions<RabbitMqOptions> options, WorkerDirectory directory, TimeProvider clock, ILogger<BrokerQueue> logger) : IGenerationQueue
{
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(5), Margin = TimeSpan.FromSeconds(15), BetweenTries = TimeSpan.FromMilliseconds(100);
    private readonly Lock _work = new();
    private readonly Topology _topology = new(options.Value);
    private readonly Dictionary<Guid, NodeJob> _jobs = [];
    private readonly Dictionary<Guid, NodeJob> _out = []; // those of which an answer is to come, though nobody may wait for it
    private readonly CanvasSlots _slots = new();
    private readonly ClientTurns _turns = new();
    private readonly Affinity _affinity = new(clock);
    private readonly FinishedJobs _finished = new(options.Value.KeepResults, options.Value.KeepBytes, clock);
    private TaskCompletionSource<NodeSession> _session = NewSession();
    private long _sequence;
    private bool _isDraining;

    // Of what may wait in the batch queue, so that one who asks for much leaves room for others.
    private int ShareOfClient => Math.Max(1, options.Value.QueueLimit / 4);

    public ValueTask SubmitAsync(GenerationJob job, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        job.Recipe.EnsureValid();
        NodeJob accepted;
        lock (_work)
        {
            if (_jobs.ContainsKey(job.Id))
                return ValueTask.CompletedTask;
            if (_isDraining)
                throw new QueueFullException(RetryAfter, "this server is about to stop");
            if (job is { Canvas: null, Client: { } client } && _turns.Count(client) >= ShareOfClient)
                throw new QueueFullException(ExpectedWait(job.Recipe.Model, 1) ?? RetryAfter, "enough of your jobs wait already");
            accepted = _jobs[job.Id] = new(job, NextSequence(), clock.GetTimestamp(), new JobTelemetry(job, JobTelemetry.BrokerQueue));
            if (job.Canvas is { } canvas && _slots.Add(canvas, job.Id, out var replaced) is { } ahead)
            {
                if (replaced is { } older)
                    End(_jobs[older], new GenerationProgress.Superseded(older));
                // The worker that gets the one ahead does this one in its place.
                if (_jobs.TryGetValue(ahead, out var published) && published.Job.Recipe.Model == job.Recipe.Model)
                    Tell(new() { Newer = Message(accepted) });
                return ValueTask.CompletedTask;
            }
            // Perhaps another node has jobs of this canvas, from before its page came here.
            if (job.Canvas is { } fresh && _affinity.Of(fresh) is null)
                Tell(new() { Newer = Message(accepted) });
            if (job is { Canvas: null, Client: { } asking } && !_turns.Add(asking, job.Id, TurnsAtOnce(job)))
                return ValueTask.CompletedTask;
            _out[job.Id] = accepted;
        }
        return new(SubmitAsync(accepted, cancellationToken));
    }

    public IAsyncEnumerable<GenerationProgress> WatchAsync(Guid jobId, CancellationToken cancellationToken = default)
    {
        lock (_work)
            return _jobs.TryGetValue(jobId, out var job) ? job.WatchAsync(cancellationToken) : throw new KeyNotFoundException($"There is no job {jobId}, or it ended long ago.");
    }

    public ValueTask CancelAsync(Guid jobId, CancellationToken cancellationToken = default)
    {
        lock (_work)
        {
            if (!_jobs.TryGetValue(jobId, out var job) || job.HasEnded)
                return ValueTask.CompletedTask;
            if (job.Job.Canvas is { } canvas)
                _slots.Remove(canvas, jobId);
            else if (job.Job.Client is { } client)
                _turns.Remove(client, jobId);
            Tell(new() { Cancelled = jobId });
            End(job, new GenerationProgress.Cancelled(jobId));
        }
        return ValueTask.CompletedTask;
    }

    /// <summary>A report came home.</summary>
    public void Take(Reply reply)
    {
        var progress = reply.Progress;
        var next = new List<NodeJob>();
        lock (_work)
        {
            if (Find(progress.JobId) is not { } job)
            {
                // Of this node's earlier life, or long forgotten: who asks for it by its id gets it.
                if (progress is not GenerationProgress.Completed { Result: var result })
                    return;
                job = _jobs[progress.JobId] = new(new GenerationJob(progress.JobId, result.Recipe), 0, clock.GetTimestamp(), telemetry: null);
            }
            (job.LastSign, job.WaitsIn) = (clock.GetTimestamp(), null);
            if (progress.IsFinal)
                _out.Remove(job.Id);
            if (job.Job.Canvas is { } canvas)
            {
                if (reply.Worker.Length > 0)
                    _affinity.Did(canvas, reply.Worker);
                if (reply.By is { } by && _jobs.TryGetValue(by, out var heir))
                {
                    _slots.Superseded(canvas, job.Id, by);
                    (heir.LastSign, _out[by]) = (clock.GetTimestamp(), heir);
                }
                else if (progress.IsFinal && _slots.Ended(canvas, job.Id) is { } waiting)
                {
                    next.Add(_jobs[waiting]);
                }
            }
            else if (job.Job.Client is { } client && progress.IsFinal)
            {
                next.AddRange(_turns.Ended(client, job.Id, TurnsAtOnce(job.Job)).Select(waiting => _jobs[waiting]));
            }
            foreach (var heir in next)
                (heir.LastSign, _out[heir.Id]) = (clock.GetTimestamp(), heir);
            if (progress is GenerationProgress.Completed done)
                progress = new GenerationProgress.Completed(WithWait(job, done.Result));
            if (progress.IsFinal)
                End(job, progress);
            else
                job.Report(progress);
        }
        foreach (var job in next)
            _ = HandOverInTurnAsync(job);
    }

    public void Connected(NodeSession session)
    {
        lock (_work)
        {
            if (_session.Task.IsCompleted)
                _session = NewSession();
            _session.SetResult(session);
        }
    }

    public void Disconnected()
    {
        lock (_work)
            if (_session.Task.IsCompleted)
                _session = NewSession();
    }

    /// <summary>Takes no more jobs, and lets those there are end within the time of grace. What does not stays with the broker.</summary>
    public async Task DrainAsync(CancellationToken cancellation)
    {
        lock (_work)
            _isDraining = true;
        var start = clock.GetTimestamp();
        while (!IsIdle() && clock.GetElapsedTime(start) < options.Value.Grace && !cancellation.IsCancellationRequested)
            await Task.Delay(TimeSpan.FromMilliseconds(20), clock, CancellationToken.None).ConfigureAwait(false);

        bool IsIdle()
        {
            lock (_work)
                return _jobs.Values.All(job => job.HasEnded);
        }
    }

    private GenerationResult WithWait(NodeJob job, GenerationResult result)
    {
        var wait = clock.GetElapsedTime(job.Accepted) - result.Timings.Aggregate(TimeSpan.Zero, (sum, stage) => sum + stage.Duration);
        Log.Completed(logger, job.Id, result.Recipe.Model, job.Job.Canvas is not null, wait.TotalMilliseconds);
        var waited = new StageTiming(StageTiming.Wait, wait > TimeSpan.Zero ? wait : TimeSpan.Zero);
        // The other stages the worker has told of.
        if (!job.HasEnded)
            job.Telemetry?.Completed([waited], clock.GetElapsedTime(job.Accepted));
        return result with { Timings = [waited, .. result.Timings] };
    }

    private NodeJob? Find(Guid id) => _out.GetValueOrDefault(id) ?? _jobs.GetValueOrDefault(id);

    private void End(NodeJob job, GenerationProgress last)
    {
        if (!job.Report(last))
            return;
        // One that was refused may have been handed in again, as another job of the same id.
        foreach (var forgotten in _finished.Add(job))
            if (_jobs.GetValueOrDefault(forgotten.Id) == forgotten)
                _jobs.Remove(forgotten.Id);
    }

    private JobMessage Message(NodeJob job) => JobMessage.Of(job.Job, job.Sequence, _topology.Replies(options.Value.Node)) with { TraceParent = job.Telemetry?.Span?.Id };

    private long NextSequence() => _sequence = Math.Max(_sequence + 1, (clock.GetUtcNow().Ticks - DateTime.UnixEpoch.Ticks) / TimeSpan.TicksPerMicrosecond);

    private void Tell(ControlMessage message)
    {
        if (_session.Task.IsCompletedSuccessfully)
            _session.Task.Result.Tell(message);
    }

    private static TaskCompletionSource<NodeSession> NewSession() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static partial class Log
    {
        [LoggerMessage(50, LogLevel.Information, "Job {Job} on {Model} came home: live {Live}, waited {Waited:0.0} ms")]
        public static partial void Completed(ILogger logger, Guid job, string model, bool live, double waited);

        [LoggerMessage(51, LogLevel.Warning, "Job {Job} was not handed over: {Reason}")]
        public static partial void NotHandedOver(ILogger logger, Guid job, string reason);
    }
}
