using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace SaeUnbox.Serving.RabbitMq;

/// <summary>The queue of a web node. It publishes jobs to the broker, and passes the workers' replies on to those who watch.</summary>
internal sealed partial class BrokerQueue(
    IOptions<RabbitMqOptions> options, WorkerDirectory directory, JobPublisher publisher, CanvasAffinity affinity, TimeProvider clock,
    ILogger<BrokerQueue> logger) : IGenerationQueue
{
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(5), SilenceMargin = TimeSpan.FromSeconds(15),
        BetweenTries = TimeSpan.FromSeconds(1);
    private readonly Lock _work = new();
    private readonly Topology _topology = new(options.Value);
    private readonly Dictionary<Guid, NodeJob> _jobs = [];
    private readonly Dictionary<Guid, NodeJob> _published = []; // jobs with a reply outstanding, even if nobody waits for it any more
    private readonly CanvasSlots _slots = new();
    private readonly ClientTurns _turns = new(directory.Count, clock);
    private readonly FinishedJobs _finished = new(options.Value.KeepResults, options.Value.KeepBytes, clock);
    private long _sequence;
    private bool _isDraining;

    public ValueTask SubmitAsync(GenerationJob job, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        NodeJob? accepted;
        List<NodeJob> next;
        lock (_work)
        {
            if (_jobs.ContainsKey(job.Id))
                return ValueTask.CompletedTask;
            if (_isDraining)
                throw new QueueStoppingException(RetryAfter);
            RequireRoom(job);
            accepted = _jobs[job.Id] = new(job, NextSequence(), clock.GetTimestamp(), new JobTelemetry(job, JobTelemetry.BrokerQueue));
            if (job.Canvas is { } canvas && _slots.Add(canvas, job.Id, out var replaced) is { } ahead)
            {
                FollowOn(canvas, ahead, replaced, accepted);
                return ValueTask.CompletedTask;
            }
            // If the page has just moved here from another node, older jobs of this canvas may still be in the broker.
            if (job.Canvas is { } fresh && affinity.WorkerOf(fresh) is null)
                publisher.Broadcast(new() { Newer = Message(accepted) });
            if (job is { Canvas: null, Client: null })
                _published[job.Id] = accepted; // of nobody in particular: needs no turn
            else
                _turns.Add(job);
            next = TakeTurns();
            if (!_published.ContainsKey(job.Id))
                accepted = null;
        }
        PublishAll(next.Where(one => one != accepted));
        return accepted is null ? ValueTask.CompletedTask : new(PublishNowAsync(accepted, cancellationToken));
    }

    // A client's batch jobs may fill a quarter of the queue. One that finds this part empty is accepted whatever its size.
    private void RequireRoom(GenerationJob job)
    {
        if (job is { Canvas: null, Client: not null }
            && _turns.Work(job) is > 0 and var work
            && work + job.Cost > Math.Max(1, options.Value.QueueLimit / 4))
            throw new QueueFullException(
                directory.ExpectedWait(job.Recipe.Model, 1) ?? RetryAfter, "too many of your jobs are already waiting");
    }

    // A newer job of a canvas whose job `ahead` has not ended.
    private void FollowOn(string canvas, Guid ahead, Guid? replaced, NodeJob newer)
    {
        if (replaced is { } older)
            End(_jobs[older], new GenerationProgress.Superseded(older));
        if (!_jobs.TryGetValue(ahead, out var first))
            return;
        if (!_published.ContainsKey(ahead))
        {
            // Its client's turn has not come: the newer job waits in its place.
            _slots.Replace(canvas, newer.Id);
            _turns.Replace(first.Job, newer.Job);
            End(first, new GenerationProgress.Superseded(ahead));
        }
        else if (first.Job.Recipe.Model == newer.Job.Recipe.Model)
            // The worker that gets the published job runs this newer one instead.
            publisher.Broadcast(new() { Newer = Message(newer) });
    }

    public IAsyncEnumerable<GenerationProgress> WatchAsync(Guid jobId, CancellationToken cancellationToken = default)
    {
        lock (_work)
            return _jobs.TryGetValue(jobId, out var job)
                ? job.WatchAsync(cancellationToken)
                : throw new KeyNotFoundException($"There is no job {jobId}, or its result has expired.");
    }

    public ValueTask CancelAsync(Guid jobId, CancellationToken cancellationToken = default)
    {
        lock (_work)
        {
            if (!_jobs.TryGetValue(jobId, out var job) || job.HasEnded)
                return ValueTask.CompletedTask;
            var wasHeld = _turns.Remove(job.Job);
            if (job.Job.Canvas is { } canvas)
            {
                if (wasHeld)
                    _slots.Ended(canvas, jobId);
                else
                    _slots.Remove(canvas, jobId);
            }
            publisher.Broadcast(new() { Cancelled = jobId });
            End(job, new GenerationProgress.Cancelled(jobId));
        }
        return ValueTask.CompletedTask;
    }

    /// <summary>Handles a worker's reply: reports it, and publishes the jobs that were waiting for this one to end.</summary>
    public void OnReply(Reply reply)
    {
        var progress = reply.Progress;
        List<NodeJob> next;
        lock (_work)
        {
            if (Find(progress.JobId) is not { } job)
            {
                // The job is from before this node restarted, or has expired. Keep its result for whoever asks for it by id.
                if (progress is not GenerationProgress.Completed { Result: var result })
                    return;
                job = _jobs[progress.JobId] = new(new GenerationJob(progress.JobId, result.Recipe.Check()), 0, clock.GetTimestamp(),
                    telemetry: null);
            }
            (job.LastHeard, job.WaitsIn) = (clock.GetTimestamp(), null);
            if (progress.IsFinal)
                _published.Remove(job.Id);
            if (job.Job.Canvas is { } canvas)
            {
                if (reply.Worker.Length > 0)
                    affinity.Remember(canvas, reply.Worker);
                if (reply.By is { } by && _jobs.TryGetValue(by, out var replacement))
                {
                    _slots.Superseded(canvas, job.Id, by);
                    _turns.Replace(job.Job, replacement.Job);
                    (replacement.LastHeard, _published[by]) = (clock.GetTimestamp(), replacement);
                }
                else if (progress.IsFinal)
                    EndTurn(job.Job, _slots.Ended(canvas, job.Id));
            }
            else if (progress.IsFinal)
                EndTurn(job.Job);
            if (progress is GenerationProgress.Completed done)
                progress = new GenerationProgress.Completed(WithWait(job, done.Result));
            if (progress.IsFinal)
                End(job, progress);
            else
                job.Report(progress);
            next = TakeTurns();
        }
        PublishAll(next);
    }

    // Ends a job's turn. The next job of its canvas waits for one.
    private void EndTurn(GenerationJob ended, Guid? following = null)
    {
        _turns.Ended(ended);
        if (following is { } id)
            _turns.Add(_jobs[id].Job);
    }

    // The jobs to be published now.
    private List<NodeJob> TakeTurns()
    {
        var next = _turns.Next().Select(job => _jobs[job.Id]).ToList();
        foreach (var job in next)
            (job.LastHeard, _published[job.Id]) = (clock.GetTimestamp(), job);
        return next;
    }

    /// <summary>Reports the queue position of every waiting job, and fails those that have been silent for too long.</summary>
    public async Task CheckWaitingAsync(NodeSession session)
    {
        var running = directory.Workers.Select(worker => worker.Doing).OfType<Guid>().ToHashSet();
        string[] queues;
        lock (_work)
        {
            foreach (var id in running)
                if (_published.TryGetValue(id, out var job))
                    job.LastHeard = clock.GetTimestamp();
            queues = [.. Waiting().Select(job => job.WaitsIn!).Distinct()];
        }
        foreach (var queue in queues)
            ReportPosition(queue, await session.CountAsync(queue));
        FailSilentJobs();
    }

    /// <summary>Refuses new jobs, and waits up to the grace period for the accepted ones to end. The rest stay in the broker.</summary>
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

    private async Task PublishNowAsync(NodeJob job, CancellationToken cancellation)
    {
        try
        {
            await PublishOrFailAsync(job).WaitAsync(cancellation).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            await CancelAsync(job.Id, CancellationToken.None).ConfigureAwait(false);
            throw;
        }
        catch (QueueFullException) when (job.Newest is GenerationProgress.Completed)
        {
            // The job ran; only the broker's confirm was lost.
        }
        catch
        {
            // The job was never accepted.
            lock (_work)
                _jobs.Remove(job.Id);
            throw;
        }
    }

    private void PublishAll(IEnumerable<NodeJob> jobs)
    {
        foreach (var job in jobs)
            _ = PublishNextAsync(job);
    }

    // For a job whose caller has already been told that it was accepted. While there is no worker or no room for it, it waits as long as it
    // may wait in the queue.
    private async Task PublishNextAsync(NodeJob job)
    {
        try
        {
            await PublishOrFailAsync(job, patience: TimeToLive(job.Job)).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is QueueFullException or RecipeException)
        {
            Log.NotPublished(logger, job.Id, exception.Message);
        }
    }

    private async Task PublishOrFailAsync(NodeJob job, TimeSpan patience = default)
    {
        while (true)
            try
            {
                await publisher.PublishAsync(job, Message(job), waitsForItsWorker: !AreAllBusy(job.Job.Recipe.Model))
                    .ConfigureAwait(false);
                return;
            }
            catch (QueueFullException) when (!job.HasEnded && clock.GetElapsedTime(job.Accepted) < patience)
            {
                await Task.Delay(BetweenTries, clock, CancellationToken.None).ConfigureAwait(false);
            }
            catch (Exception exception)
            {
                OnReply(new Reply(new GenerationProgress.Failed(job.Id, exception.Message), ""));
                throw;
            }
    }

    // Whether this node's jobs, with one that is about to be published, are more than there are workers.
    private bool AreAllBusy(string model)
    {
        lock (_work)
            return _published.Values.Count(job => job.Job.Recipe.Model == model) > directory.Count(model);
    }

    private IEnumerable<NodeJob> Waiting() => _jobs.Values.Where(job => job.WaitsIn is not null && !job.HasEnded);

    private void ReportPosition(string queue, int count)
    {
        lock (_work)
            foreach (var job in Waiting().Where(job => job.WaitsIn == queue))
                job.Report(new GenerationProgress.Waiting(job.Id, count, directory.ExpectedWait(job.Job.Recipe.Model, count)));
    }

    private void FailSilentJobs()
    {
        Guid[] silent;
        lock (_work)
            silent = [.. _published.Values.Where(job => clock.GetElapsedTime(job.LastHeard) > TimeToLive(job.Job) + SilenceMargin)
                .Select(job => job.Id)];
        foreach (var id in silent)
            OnReply(new Reply(new GenerationProgress.Failed(id, "No worker answered in time."), ""));
    }

    private TimeSpan TimeToLive(GenerationJob job) => job.Canvas is null ? options.Value.BatchTimeToLive : options.Value.LiveTimeToLive;

    private GenerationResult WithWait(NodeJob job, GenerationResult result)
    {
        var wait = clock.GetElapsedTime(job.Accepted) - result.Timings.Aggregate(TimeSpan.Zero, (sum, stage) => sum + stage.Duration);
        Log.Completed(logger, job.Id, result.Recipe.Model, job.Job.Canvas is not null, wait.TotalMilliseconds);
        var waited = new StageTiming(StageTiming.Wait, wait > TimeSpan.Zero ? wait : TimeSpan.Zero);
        // The worker measures the other stages.
        if (!job.HasEnded)
            job.Telemetry?.Completed([waited], clock.GetElapsedTime(job.Accepted));
        return result with { Timings = [waited, .. result.Timings] };
    }

    private NodeJob? Find(Guid id) => _published.GetValueOrDefault(id) ?? _jobs.GetValueOrDefault(id);

    private void End(NodeJob job, GenerationProgress last)
    {
        if (!job.Report(last))
            return;
        // A refused job may have been submitted again under the same id; keep that one.
        foreach (var forgotten in _finished.Add(job))
            if (_jobs.GetValueOrDefault(forgotten.Id) == forgotten)
                _jobs.Remove(forgotten.Id);
    }

    private JobMessage Message(NodeJob job) =>
        JobMessage.Of(job.Job, job.Sequence, _topology.Replies(options.Value.Node)) with { TraceParent = job.Telemetry?.Span?.Id };

    private long NextSequence() =>
        _sequence = Math.Max(_sequence + 1, (clock.GetUtcNow().Ticks - DateTime.UnixEpoch.Ticks) / TimeSpan.TicksPerMicrosecond);

    private static partial class Log
    {
        [LoggerMessage(50, LogLevel.Information, "Job {Job} on {Model} completed: live {Live}, waited {Waited:0.0} ms")]
        public static partial void Completed(ILogger logger, Guid job, string model, bool live, double waited);

        [LoggerMessage(51, LogLevel.Warning, "Job {Job} was not published: {Reason}")]
        public static partial void NotPublished(ILogger logger, Guid job, string reason);
    }
}
