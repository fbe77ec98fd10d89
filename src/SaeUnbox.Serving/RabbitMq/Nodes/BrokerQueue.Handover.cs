using RabbitMQ.Client.Exceptions;

namespace SaeUnbox.Serving.RabbitMq;

// How a job gets to the broker, and what becomes of one that nobody answers.
internal sealed partial class BrokerQueue
{
    /// <summary>Tells of waiting jobs how many are ahead, and gives up those of which nothing was heard for too long.</summary>
    public async Task TendAsync(NodeSession session)
    {
        var doing = directory.Workers.Select(worker => worker.Doing).OfType<Guid>().ToHashSet();
        string[] queues;
        lock (_work)
        {
            foreach (var id in doing)
                if (_out.TryGetValue(id, out var job))
                    job.LastSign = clock.GetTimestamp();
            queues = [.. Waiting().Select(job => job.WaitsIn!).Distinct()];
        }
        foreach (var queue in queues)
            TellPosition(queue, await session.CountAsync(queue));
        GiveUp();
    }

    private IEnumerable<NodeJob> Waiting() => _jobs.Values.Where(job => job.WaitsIn is not null && !job.HasEnded);

    private void TellPosition(string queue, int count)
    {
        lock (_work)
            foreach (var job in Waiting().Where(job => job.WaitsIn == queue))
                job.Report(new GenerationProgress.Waiting(job.Id, count, ExpectedWait(job.Job.Recipe.Model, count)));
    }

    private void GiveUp()
    {
        Guid[] silent;
        lock (_work)
            silent = [.. _out.Values.Where(job => clock.GetElapsedTime(job.LastSign) > TimeToLive(job.Job) + Margin).Select(job => job.Id)];
        foreach (var id in silent)
            Take(new Reply(new GenerationProgress.Failed(id, "No worker answered in time."), ""));
    }

    private async Task SubmitAsync(NodeJob job, CancellationToken cancellation)
    {
        try
        {
            await HandOverAsync(job).WaitAsync(cancellation).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            await CancelAsync(job.Id, CancellationToken.None).ConfigureAwait(false);
            throw;
        }
        catch (QueueFullException) when (job.Newest is GenerationProgress.Completed)
        {
            // Only the broker's confirm never came.
        }
        catch
        {
            // It never was accepted.
            lock (_work)
                _jobs.Remove(job.Id);
            throw;
        }
    }

    // As many of a client's batch jobs as keep all workers busy, and one to come next.
    private int TurnsAtOnce(GenerationJob job) => directory.Workers.Count(worker => worker.Models.Any(held => held.Name == job.Recipe.Model)) + 1;

    // Behind its canvas's last one, or its client's; nobody waits to hear that it was accepted.
    private async Task HandOverInTurnAsync(NodeJob job)
    {
        try
        {
            await HandOverAsync(job).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is QueueFullException or RecipeException)
        {
            Log.NotHandedOver(logger, job.Id, exception.Message);
        }
    }

    private async Task HandOverAsync(NodeJob job)
    {
        try
        {
            await PublishAsync(job).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            Take(new Reply(new GenerationProgress.Failed(job.Id, exception.Message), ""));
            throw;
        }
    }

    private async Task PublishAsync(NodeJob job)
    {
        var start = clock.GetTimestamp();
        var model = job.Job.Recipe.Model;
        var message = Message(job);
        var bytes = Wire.Write(message);
        while (true)
        {
            var session = await ConnectedAsync(options.Value.SubmitTimeout - clock.GetElapsedTime(start)).ConfigureAwait(false);
            try
            {
                await RequireModelAsync(model).ConfigureAwait(false);
                await session.DeclareModelAsync(model).ConfigureAwait(false);
                var queue = job.Job.Canvas is null ? _topology.Batch(model) : _topology.Live(model);
                lock (_work)
                    job.WaitsIn = queue;
                if (Preferred(job.Job) is { } worker && await TryPublishAsync(session, _topology.Private(worker, model), bytes, message.TraceParent).ConfigureAwait(false))
                    return;
                if (await TryPublishAsync(session, queue, bytes, message.TraceParent).ConfigureAwait(false))
                    return;
                // It may be full; it may also be about to come back, behind a broker that has just been started.
                if (await session.CountAsync(queue).ConfigureAwait(false) >= options.Value.QueueLimit)
                    throw new QueueFullException(ExpectedWait(model, Math.Max(1, options.Value.QueueLimit / 4)) ?? TimeSpan.FromSeconds(1));
                await Task.Delay(BetweenTries, clock, session.Lost).ConfigureAwait(false);
            }
            catch (Exception exception) when (BrokerConnection.IsLoss(exception) || exception is OperationCanceledException)
            {
                // The broker may have it or not: it gets it again, by the same id.
            }
        }
    }

    private async Task<bool> TryPublishAsync(NodeSession session, string queue, byte[] message, string? traceParent)
    {
        try
        {
            await session.PublishAsync(queue, message, traceParent, options.Value.SubmitTimeout).ConfigureAwait(false);
            return true;
        }
        catch (PublishException)
        {
            return false;
        }
    }

    private async Task<NodeSession> ConnectedAsync(TimeSpan patience)
    {
        const string unreachable = "the workers cannot be reached for now";
        if (patience <= TimeSpan.Zero)
            throw new QueueFullException(RetryAfter, unreachable);
        Task<NodeSession> connected;
        lock (_work)
            connected = _session.Task;
        try
        {
            return await connected.WaitAsync(patience, clock).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            throw new QueueFullException(RetryAfter, unreachable);
        }
    }

    private async Task RequireModelAsync(string model)
    {
        // A node that has just started, or has found its broker again, hears of the workers in a moment.
        await directory.AnyAsync(3 * options.Value.AnnounceEvery).ConfigureAwait(false);
        var models = directory.Models;
        if (models.Count == 0)
            throw new QueueFullException(RetryAfter, "there is no worker for now");
        if (models.All(known => known.Name != model))
            throw ModelFit.NoModel(model, models.Select(known => known.Name));
    }

    private string? Preferred(GenerationJob job)
    {
        lock (_work)
            return options.Value.AffinityWait > TimeSpan.Zero && job.Canvas is { } canvas && _affinity.Of(canvas) is { } worker && directory.Holds(worker, job.Recipe.Model) ? worker : null;
    }

    private TimeSpan? ExpectedWait(string model, int ahead)
    {
        var workers = directory.Workers.Where(worker => worker.Models.Any(held => held.Name == model)).ToArray();
        return workers.Select(worker => worker.ServiceTime).OfType<TimeSpan>().ToArray() is { Length: > 0 } times
            ? TimeSpan.FromTicks((long)times.Average(time => time.Ticks)) * ahead / workers.Length
            : null;
    }

    private TimeSpan TimeToLive(GenerationJob job) => job.Canvas is null ? options.Value.BatchTimeToLive : options.Value.LiveTimeToLive;
}
