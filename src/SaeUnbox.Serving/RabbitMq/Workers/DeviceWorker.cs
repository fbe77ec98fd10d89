using System.Diagnostics;
using Microsoft.Extensions.Logging;
using RabbitMQ.Client.Exceptions;
using RabbitMQ.Client;

namespace SaeUnbox.Serving.RabbitMq;

/// <summary>
/// Does jobs on one device, one after the other. A job is acknowledged once the broker has its answer; until then the broker would give it
/// to another worker.
/// </summary>
internal sealed partial class DeviceWorker(
    string name, IJobExecutor executor, IReadOnlyList<ModelInfo> models, RabbitMqOptions options, Topology topology, ControlTable control, RecentAnswers recent, TimeProvider clock, ILogger logger)
{
    private readonly ServiceTime _serviceTime = new();
    private RunningJob? _running;

    /// <summary>Why its device can do no more jobs; null while it can.</summary>
    public string? Failure => executor.Failure;

    public WorkerInfo Info => new(name, executor.Device, models, _running?.Job.Job, _serviceTime.Average);

    /// <summary>Works until the connection is lost, the device breaks for good, or it is told to stop and the job in hand has ended.</summary>
    /// <param name="session">The connection.</param>
    /// <param name="stopping">No further job is begun.</param>
    /// <param name="abort">The job in hand is given back.</param>
    public async Task ServeAsync(BrokerSession session, CancellationToken stopping, CancellationToken abort)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stopping, session.Lost);
        var channel = await session.OpenAsync(confirms: true);
        foreach (var model in models)
        {
            await topology.DeclareModelAsync(channel, model.Name, session.Lost);
            if (options.AffinityWait > TimeSpan.Zero)
                await topology.DeclarePrivateAsync(channel, name, model.Name, session.Lost);
        }
        var lanes = await LaneReader.OpenAsync(session, Queues());
        control.Told += OnTold;
        session.Up();
        // Of the job before: its answer is still on the way while the next is looked for.
        var settled = Task.CompletedTask;
        try
        {
            while (Failure is null)
            {
                var delivery = await lanes.TakeAsync(ending.Token);
                await settled;
                settled = SettledAsync(await DoAsync(delivery, channel, session, abort), session);
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
            control.Told -= OnTold;
        }
    }

    private IEnumerable<LaneQueue> Queues()
    {
        foreach (var model in models)
        {
            // Made again each time: under load the broker would think it forgotten.
            if (options.AffinityWait > TimeSpan.Zero)
                yield return new(Lane.Private, topology.Private(name, model.Name), (channel, cancellation) => topology.DeclarePrivateAsync(channel, name, model.Name, cancellation));
            foreach (var (lane, queue) in new[] { (Lane.Live, topology.Live(model.Name)), (Lane.Batch, topology.Batch(model.Name)) })
                yield return new(lane, queue, (channel, cancellation) => channel.MessageCountAsync(queue, cancellation));
        }
    }

    // What it gives ends when the broker has the answer, and knows that the job is done.
    private async Task<Task> DoAsync(Delivery delivery, IChannel channel, BrokerSession session, CancellationToken abort)
    {
        JobMessage job;
        try
        {
            job = Wire.Read<JobMessage>(delivery.Body) with { TraceParent = delivery.TraceParent };
        }
        catch (MessageException exception)
        {
            return BuryAsync(delivery, delivery.Body, exception.Message, channel, session);
        }
        var answers = new Answers(name, channel, recent, clock, session, logger);
        try
        {
            return await TryDoAsync(job, answers, abort) ? AnsweredAsync(delivery, answers, session) : GiveBackAsync(delivery, channel, session);
        }
        catch (DeviceException broken)
        {
            Log.Broke(logger, broken.InnerException, broken.Job.Job, delivery.Tries + 1);
            await answers.ConfirmedAsync();
            var body = Wire.Write(broken.Job);
            return delivery.Tries + 1 >= Topology.Tries
                ? BuryAsync(delivery, body, $"{Topology.Tries} tries failed, the last with {broken.InnerException!.GetType().Name}: {broken.InnerException.Message}", channel, session)
                : PassOnAsync(delivery with { Body = body, Tries = delivery.Tries + 1, TraceParent = broken.Job.TraceParent }, job.Recipe.Model, channel, session);
        }
    }

    // Where the broker refuses, all is begun anew at once, and not when the next job comes.
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

    private static async Task AnsweredAsync(Delivery delivery, Answers answers, BrokerSession session)
    {
        await answers.ConfirmedAsync();
        await delivery.AckAsync(session.Lost);
    }

    /// <summary>Does a job, or the one that takes its place; false where it is to be given back.</summary>
    /// <exception cref="DeviceException">The device broke under it.</exception>
    private async Task<bool> TryDoAsync(JobMessage job, Answers answers, CancellationToken abort)
    {
        var isHeir = false;
        while (true)
        {
            if (control.NewerThan(job) is { } newer)
            {
                answers.Superseded(job, newer);
                (job, isHeir) = (newer, true);
                continue;
            }
            if (recent.Find(job.Job) is { } known)
            {
                answers.Again(job, known);
                return true;
            }
            // An heir runs to its end, so that a canvas that is painted on all the time gets pictures all the time.
            using var running = new RunningJob(job, canBeSuperseded: !isHeir, abort);
            var last = await RunAsync(running, answers);
            if (last is GenerationProgress.Cancelled && running.Ending != Ending.Cancelled)
            {
                if (running.Ending != Ending.Superseded)
                    return false;
                continue;
            }
            answers.Last(job, last);
            return true;
        }
    }

    private async Task<GenerationProgress> RunAsync(RunningJob running, Answers answers)
    {
        var job = running.Job;
        var start = clock.GetTimestamp();
        using var span = ServingTelemetry.Spans.StartActivity("process", ActivityKind.Consumer, TraceHeader.Parse(job.TraceParent));
        span?.SetTag("messaging.system", "rabbitmq").SetTag("saeunbox.worker", name).SetTag("saeunbox.job.id", job.Job);
        // Known to those who tell before it is asked what they told.
        _running = running;
        try
        {
            if (control.IsCancelled(job.Job))
                running.End(Ending.Cancelled);
            if (running.Token.IsCancellationRequested)
                return new GenerationProgress.Cancelled(job.Job);
            using var soon = answers.ReportSoon(job);
            var last = await executor.RunAsync(job.ToJob(), progress => answers.Report(job, progress), running.Token);
            if (last is GenerationProgress.Completed)
                _serviceTime.Add(clock.GetElapsedTime(start));
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

    private void OnTold(ControlMessage message)
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

    // A copy at the queue's end: what comes behind it does not wait for its next try, and nobody counts one where there was none.
    private async Task PassOnAsync(Delivery delivery, string model, IChannel channel, BrokerSession session)
    {
        try
        {
            await channel.PublishAsync("", delivery.Lane == Lane.Batch ? topology.Batch(model) : topology.Live(model), delivery.Body, session.Lost,
                new(TraceHeader.Of(delivery.TraceParent) ?? []) { [Delivery.TriesHeader] = delivery.Tries });
            await delivery.AckAsync(session.Lost);
        }
        catch (PublishException)
        {
            await delivery.ReturnAsync(session.Lost);
        }
    }

    private async Task BuryAsync(Delivery delivery, byte[] body, string reason, IChannel channel, BrokerSession session)
    {
        Log.Buried(logger, reason);
        await channel.PublishAsync(topology.Dead, "", body, session.Lost, new() { [DeadLetter.ReasonHeader] = reason, [DeadLetter.WorkerHeader] = name });
        await delivery.AckAsync(session.Lost);
    }

    private static partial class Log
    {
        [LoggerMessage(40, LogLevel.Error, "Job {Job} broke, try {Try}")]
        public static partial void Broke(ILogger logger, Exception? exception, Guid job, int @try);

        [LoggerMessage(41, LogLevel.Error, "A job is set aside: {Reason}")]
        public static partial void Buried(ILogger logger, string reason);
    }
}

/// <summary>Why a job ended before its end.</summary>
internal enum Ending
{
    None,
    Superseded,
    Cancelled,
}

/// <summary>A device broke under a job.</summary>
internal sealed class DeviceException(JobMessage job, Exception inner) : Exception(inner.Message, inner)
{
    public JobMessage Job => job;
}

/// <summary>The job in hand, and the means to end it.</summary>
internal sealed class RunningJob(JobMessage job, bool canBeSuperseded, CancellationToken abort) : IDisposable
{
    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _cancellation = CancellationTokenSource.CreateLinkedTokenSource(abort);
    private bool _isDisposed;

    public JobMessage Job => job;

    public bool CanBeSuperseded => canBeSuperseded;

    public CancellationToken Token => _cancellation.Token;

    /// <summary>None where it came to its own end, or was ended by the worker's stop.</summary>
    public Ending Ending { get; private set; }

    /// <summary>Ends it between two stages; nothing happens where it has ended.</summary>
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
