using Microsoft.Extensions.Options;
using RabbitMQ.Client.Exceptions;

namespace SaeUnbox.Serving.RabbitMq;

/// <summary>Publishes a web node's jobs and control messages over whichever broker connection is up. Thread-safe.</summary>
internal sealed class JobPublisher(
    IOptions<RabbitMqOptions> options, WorkerDirectory directory, CanvasAffinity affinity, TimeProvider clock)
{
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(5), BetweenTries = TimeSpan.FromMilliseconds(100);
    private readonly Lock _lock = new();
    private readonly Topology _topology = new(options.Value);
    private TaskCompletionSource<NodeSession> _session = NewSession();

    public void Connected(NodeSession session)
    {
        lock (_lock)
        {
            if (_session.Task.IsCompleted)
                _session = NewSession();
            _session.SetResult(session);
        }
    }

    public void Disconnected()
    {
        lock (_lock)
            if (_session.Task.IsCompleted)
                _session = NewSession();
    }

    /// <summary>Sends a control message to all workers. It is dropped while there is no connection.</summary>
    public void Broadcast(ControlMessage message)
    {
        Task<NodeSession> session;
        lock (_lock)
            session = _session.Task;
        if (session.IsCompletedSuccessfully)
            session.Result.Broadcast(message);
    }

    /// <summary>Publishes a job and completes when the broker has stored it. Reconnects and retries until the submit timeout.</summary>
    /// <param name="waitsForItsWorker">
    /// Whether the job is for a moment reserved for the worker that ran its canvas's last job. Other workers do not see it meanwhile.
    /// </param>
    /// <exception cref="QueueFullException">The queue is full, no worker is available, or the broker stayed unreachable.</exception>
    /// <exception cref="RecipeException">No worker has the model.</exception>
    public async Task PublishAsync(NodeJob job, JobMessage message, bool waitsForItsWorker)
    {
        var start = clock.GetTimestamp();
        var model = job.Job.Recipe.Model;
        var bytes = Wire.Write(message);
        while (true)
        {
            var session = await ConnectedAsync(options.Value.SubmitTimeout - clock.GetElapsedTime(start)).ConfigureAwait(false);
            try
            {
                await RequireModelAsync(model).ConfigureAwait(false);
                await session.DeclareModelAsync(model).ConfigureAwait(false);
                var queue = job.Job.Canvas is null ? _topology.Batch(model) : _topology.Live(model);
                job.WaitsIn = queue;
                if (waitsForItsWorker && PreferredWorker(job.Job) is { } worker
                    && await TryPublishAsync(session, _topology.Affinity(worker, model), bytes, message.TraceParent).ConfigureAwait(false))
                    return;
                if (await TryPublishAsync(session, queue, bytes, message.TraceParent).ConfigureAwait(false))
                    return;
                // The queue is full, or it is still recovering after the broker restarted.
                if (await session.CountAsync(queue).ConfigureAwait(false) >= options.Value.QueueLimit)
                    throw new QueueFullException(
                        directory.ExpectedWait(model, Math.Max(1, options.Value.QueueLimit / 4)) ?? TimeSpan.FromSeconds(1));
                await Task.Delay(BetweenTries, clock, session.Lost).ConfigureAwait(false);
            }
            catch (Exception exception) when (BrokerConnection.IsConnectionFailure(exception) || exception is OperationCanceledException)
            {
                // The broker may or may not have stored the job. Publishing it again is safe: it has the same id.
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

    private async Task<NodeSession> ConnectedAsync(TimeSpan timeout)
    {
        const string unreachable = "the workers cannot be reached at the moment";
        if (timeout <= TimeSpan.Zero)
            throw new QueueFullException(RetryAfter, unreachable);
        Task<NodeSession> connected;
        lock (_lock)
            connected = _session.Task;
        try
        {
            return await connected.WaitAsync(timeout, clock).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            throw new QueueFullException(RetryAfter, unreachable);
        }
    }

    private async Task RequireModelAsync(string model)
    {
        // A node that has just connected needs a moment to hear from the workers.
        await directory.AnyAsync(3 * options.Value.AnnounceEvery).ConfigureAwait(false);
        var models = directory.Models;
        if (models.Count == 0)
            throw new QueueFullException(RetryAfter, "no worker is available at the moment");
        if (models.All(known => known.Name != model))
            throw ModelFit.NoModel(model, models.Select(known => known.Name));
    }

    private string? PreferredWorker(GenerationJob job) =>
        options.Value.AffinityWait > TimeSpan.Zero && job.Canvas is { } canvas && affinity.WorkerOf(canvas) is { } worker
            && directory.Holds(worker, job.Recipe.Model)
            ? worker
            : null;

    private static TaskCompletionSource<NodeSession> NewSession() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
