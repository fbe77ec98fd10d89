using System.Diagnostics;
using Microsoft.Extensions.Logging;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace SaeUnbox.Serving.RabbitMq;

/// <summary>
/// Runs jobs on one device, one at a time. It acknowledges a job once the broker has stored its reply; if the worker is lost before that,
/// the broker gives the job to another worker.
/// </summary>
internal sealed partial class DeviceWorker(
    string name, IJobExecutor executor, IReadOnlyList<ModelInfo> models, RabbitMqOptions options, Topology topology, ControlTable control,
    ReplyCache replies, TimeProvider clock, ILogger logger)
{
    private readonly ServiceTime _serviceTime = new();
    private RunningJob? _running;

    /// <summary>Why the device can run no more jobs; null while it can.</summary>
    public string? Failure => executor.Failure;

    public WorkerInfo Info => new(name, executor.Device, models, _running?.Job.Job, _serviceTime.Average);

    /// <summary>Runs jobs until the connection is lost, the device fails for good, or the process stops.</summary>
    /// <param name="session">The session to take jobs from.</param>
    /// <param name="stopping">Starts no further job; the running one may finish.</param>
    /// <param name="abort">Returns the running job to the broker.</param>
    public async Task ServeAsync(BrokerSession session, CancellationToken stopping, CancellationToken abort)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stopping, session.Lost);
        var channel = await session.OpenAsync(confirms: true);
        foreach (var model in models)
        {
            await topology.DeclareModelAsync(channel, model.Name, session.Lost);
            if (options.AffinityWait > TimeSpan.Zero)
                await topology.DeclareAffinityAsync(channel, name, model.Name, session.Lost);
        }
        var lanes = await LaneReader.OpenAsync(session, Queues());
        control.Received += OnControlMessage;
        session.SetUp();
        // The previous job's reply is still being confirmed while the next job is fetched.
        var settled = Task.CompletedTask;
        try
        {
            while (Failure is null)
            {
                var delivery = await lanes.TakeAsync(ending.Token);
                await settled;
                settled = SettledAsync(await RunAsync(delivery, channel, session, abort), session);
            }
            await settled;
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested && !session.Lost.IsCancellationRequested)
        {
            await settled;
            foreach (var held in await lanes.HeldAsync())
                await GiveBackAsync(held, channel, session);
        }
        finally
        {
            control.Received -= OnControlMessage;
        }
    }

    private IEnumerable<LaneQueue> Queues()
    {
        foreach (var model in models)
        {
            // Declared again to count it: under load nobody subscribes to the queue, and the broker deletes unused queues.
            if (options.AffinityWait > TimeSpan.Zero)
                yield return new(Lane.Affinity, topology.Affinity(name, model.Name),
                    (channel, cancellation) => topology.DeclareAffinityAsync(channel, name, model.Name, cancellation));
            foreach (var (lane, queue) in new[] { (Lane.Live, topology.Live(model.Name)), (Lane.Batch, topology.Batch(model.Name)) })
                yield return new(lane, queue, (channel, cancellation) => channel.MessageCountAsync(queue, cancellation));
        }
    }

    // The inner task completes when the broker has stored the reply and the job is acknowledged.
    private async Task<Task> RunAsync(Delivery delivery, IChannel channel, BrokerSession session, CancellationToken abort)
    {
        JobMessage job;
        try
        {
            job = Wire.Read<JobMessage>(delivery.Body) with { TraceParent = delivery.TraceParent };
        }
        catch (MessageException exception)
        {
            return DeadLetterAsync(delivery, delivery.Body, exception.Message, channel, session);
        }
        var sender = new ReplySender(name, channel, replies, clock, session, logger);
        try
        {
            return await TryRunAsync(job, sender, abort)
                ? AcknowledgeAsync(delivery, sender, session)
                : GiveBackAsync(delivery, channel, session);
        }
        catch (DeviceException failure)
        {
            Log.JobFailed(logger, failure.InnerException, failure.Job.Job, delivery.Tries + 1);
            await sender.ConfirmedAsync();
            var body = Wire.Write(failure.Job);
            return delivery.Tries + 1 >= Topology.Tries
                ? DeadLetterAsync(delivery, body,
                    $"{Topology.Tries} tries failed, the last with {failure.InnerException!.GetType().Name}: "
                    + $"{failure.InnerException.Message}", channel, session)
                : PassOnAsync(delivery with { Body = body, Tries = delivery.Tries + 1, TraceParent = failure.Job.TraceParent },
                    job.Recipe.Model, channel, session);
        }
    }

    // If the broker refuses the reply, reconnects at once rather than when the next job arrives.
    private static async Task SettledAsync(Task settling, BrokerSession session)
    {
        try
        {
            await settling;
        }
        catch (Exception exception)
        {
            session.Lose(exception.Message);
            throw;
        }
    }

    private static async Task AcknowledgeAsync(Delivery delivery, ReplySender sender, BrokerSession session)
    {
        await sender.ConfirmedAsync();
        await delivery.AckAsync(session.Lost);
    }

    /// <summary>Runs a job, or the newer one that supersedes it.</summary>
    /// <returns>False if the job was aborted and must go back to the broker.</returns>
    /// <exception cref="DeviceException">The device failed while running the job.</exception>
    private async Task<bool> TryRunAsync(JobMessage job, ReplySender sender, CancellationToken abort)
    {
        var isReplacement = false;
        while (true)
        {
            if (control.NewerThan(job) is { } newer)
            {
                sender.Superseded(job, newer);
                (job, isReplacement) = (newer, true);
                continue;
            }
            if (replies.Find(job.Job) is { } known)
            {
                sender.Resend(job, known);
                return true;
            }
            // A job that replaced another runs to its end; otherwise a canvas that is painted on without pause would never get a picture.
            using var running = new RunningJob(job, canBeSuperseded: !isReplacement, abort);
            var last = await RunAsync(running, sender);
            if (last is GenerationProgress.Cancelled && running.Ending != Ending.Cancelled)
            {
                if (running.Ending != Ending.Superseded)
                    return false;
                continue;
            }
            sender.Final(job, last);
            return true;
        }
    }

    private async Task<GenerationProgress> RunAsync(RunningJob running, ReplySender sender)
    {
        var job = running.Job;
        var start = clock.GetTimestamp();
        using var span = ServingTelemetry.Spans.StartActivity("process", ActivityKind.Consumer, TraceHeader.Parse(job.TraceParent));
        span?.SetTag("messaging.system", "rabbitmq").SetTag("saeunbox.worker", name).SetTag("saeunbox.job.id", job.Job);
        // Set before the check for cancellation: a control message that arrives in between is not missed.
        _running = running;
        try
        {
            if (control.IsCancelled(job.Job))
                running.End(Ending.Cancelled);
            if (running.Token.IsCancellationRequested)
                return new GenerationProgress.Cancelled(job.Job);
            using var slow = sender.ReportIfSlow(job);
            var waited = clock.GetUtcNow() - DateTimeOffset.UnixEpoch.AddMicroseconds(job.Sequence);
            var last = await MeasuredAsync(job.ToJob(), progress => sender.Report(job, progress), running.Token);
            if (last is not GenerationProgress.Completed { Result: var result })
                return last;
            var took = clock.GetElapsedTime(start);
            _serviceTime.Add(took);
            JobLog.Completed(logger, result, job.Canvas is not null, waited, took);
            return last;
        }
        catch (OperationCanceledException) when (running.Token.IsCancellationRequested)
        {
            return new GenerationProgress.Cancelled(job.Job);
        }
        catch (Exception exception)
        {
            span?.SetStatus(ActivityStatusCode.Error);
            throw new DeviceException(job, exception);
        }
        finally
        {
            _running = null;
        }
    }

    private async Task<GenerationProgress> MeasuredAsync(GenerationJob job, Action<GenerationProgress.Running> report,
        CancellationToken cancellation)
    {
        var telemetry = new JobTelemetry(job, JobTelemetry.DeviceQueue, isTraced: false);
        GenerationProgress last = new GenerationProgress.Failed(job.Id, "");
        var start = clock.GetTimestamp();
        try
        {
            telemetry.Update(new GenerationProgress.Running(job.Id, 0, job.Recipe.Steps));
            last = await executor.RunAsync(job, report, cancellation);
            if (last is GenerationProgress.Completed { Result.Timings: var stages })
                telemetry.Completed(stages, clock.GetElapsedTime(start));
            return last;
        }
        finally
        {
            telemetry.Update(last);
        }
    }

    private void OnControlMessage(ControlMessage message)
    {
        if (_running is not { } running)
            return;
        if (message.Cancelled == running.Job.Job)
            running.End(Ending.Cancelled);
        else if (running.CanBeSuperseded && control.NewerThan(running.Job) is not null)
            running.End(Ending.Superseded);
    }

    private async Task GiveBackAsync(Delivery delivery, IChannel channel, BrokerSession session) =>
        await PassOnAsync(delivery, Wire.Read<JobMessage>(delivery.Body).Recipe.Model, channel, session);

    // Publishes a copy at the end of the queue, so that jobs behind it do not wait, and the broker counts no failed delivery.
    private async Task PassOnAsync(Delivery delivery, string model, IChannel channel, BrokerSession session)
    {
        try
        {
            await channel.PublishAsync("", delivery.Lane == Lane.Batch ? topology.Batch(model) : topology.Live(model), delivery.Body,
                session.Lost,
                new(TraceHeader.Of(delivery.TraceParent) ?? []) { [Delivery.TriesHeader] = delivery.Tries });
            await delivery.AckAsync(session.Lost);
        }
        catch (PublishException)
        {
            await delivery.ReturnAsync(session.Lost);
        }
    }

    private async Task DeadLetterAsync(Delivery delivery, byte[] body, string reason, IChannel channel, BrokerSession session)
    {
        Log.DeadLettered(logger, reason);
        await channel.PublishAsync(topology.Dead, "", body, session.Lost,
            new() { [DeadLetter.ReasonHeader] = reason, [DeadLetter.WorkerHeader] = name });
        await delivery.AckAsync(session.Lost);
    }

    private static partial class Log
    {
        [LoggerMessage(40, LogLevel.Error, "Job {Job} failed, try {Try}")]
        public static partial void JobFailed(ILogger logger, Exception? exception, Guid job, int @try);

        [LoggerMessage(41, LogLevel.Error, "A job is dead-lettered: {Reason}")]
        public static partial void DeadLettered(ILogger logger, string reason);
    }
}

/// <summary>Why a running job was interrupted.</summary>
internal enum Ending
{
    None,
    Superseded,
    Cancelled,
}

/// <summary>The device, not the job, is at fault.</summary>
internal sealed class DeviceException(JobMessage job, Exception inner) : Exception(inner.Message, inner)
{
    public JobMessage Job => job;
}

/// <summary>The running job of a device. Thread-safe.</summary>
internal sealed class RunningJob(JobMessage job, bool canBeSuperseded, CancellationToken abort) : IDisposable
{
    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _cancellation = CancellationTokenSource.CreateLinkedTokenSource(abort);
    private bool _isDisposed;

    public JobMessage Job => job;

    public bool CanBeSuperseded => canBeSuperseded;

    public CancellationToken Token => _cancellation.Token;

    /// <summary>None if the job finished by itself, or the worker stops.</summary>
    public Ending Ending { get; private set; }

    /// <summary>Interrupts the job between two stages. Does nothing if it has ended.</summary>
    public void End(Ending ending)
    {
        lock (_lock)
        {
            if (_isDisposed || Ending != Ending.None)
                return;
            Ending = ending;
            _cancellation.Cancel();
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _isDisposed = true;
            _cancellation.Dispose();
        }
    }
}
