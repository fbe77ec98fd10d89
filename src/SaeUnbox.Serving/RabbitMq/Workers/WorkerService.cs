using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace SaeUnbox.Serving.RabbitMq;

/// <summary>Runs a worker process: once the models are loaded, its devices take jobs from the broker.</summary>
internal sealed class WorkerService(IReadOnlyList<IJobExecutor> executors, IOptions<RabbitMqOptions> options, BrokerConnection broker,
    TimeProvider clock, ILogger<WorkerService> logger)
    : BackgroundService, IServingState
{
    private readonly Topology _topology = new(options.Value);
    private readonly ControlTable _control = new(options.Value.LiveTimeToLive, clock);
    private readonly ReplyCache _replies = new();
    private readonly SemaphoreSlim _announce = new(0);
    private IReadOnlyList<DeviceWorker> _devices = [];

    public bool IsReady => broker.IsUp && !IsStopping && _devices.All(device => device.Failure is null);

    public bool IsStopping { get; private set; }

    public string? Failure => _devices.Select(device => device.Failure).FirstOrDefault(failure => failure is not null) ?? broker.Failure;

    public Task Loaded => Task.CompletedTask;

    public override Task StopAsync(CancellationToken cancellationToken)
    {
        IsStopping = true;
        return base.StopAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var devices = new List<DeviceWorker>();
        try
        {
            foreach (var (i, executor) in executors.Index())
                if (await executor.GetModelsAsync(stoppingToken) is { Count: > 0 } models)
                    devices.Add(new($"{options.Value.Node}.{i}", executor, models, options.Value, _topology, _control, _replies, clock,
                        logger));
        }
        catch (OperationCanceledException)
        {
            return;
        }
        if (devices.Count == 0)
            return;
        _devices = devices;
        using var abort = new CancellationTokenSource();
        using var grace = stoppingToken.Register(() => abort.CancelAfter(options.Value.Grace));
        await broker.RunAsync($"worker {options.Value.Node}", session => ServeAsync(session, stoppingToken, abort.Token), stoppingToken);
    }

    private async Task ServeAsync(BrokerSession session, CancellationToken stopping, CancellationToken abort)
    {
        var channel = await session.OpenAsync();
        await _topology.ClaimNameAsync(channel, "worker", options.Value.Node, session.Lost);
        await _topology.DeclareSharedAsync(channel, session.Lost);
        await SubscribeToControlAsync(await session.OpenAsync(), session);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stopping, session.Lost);
        var announcing = AnnounceAsync(channel, ending.Token);
        try
        {
            await Task.WhenAll(_devices.Select(device => ServeAsync(device, session, stopping, abort)));
        }
        finally
        {
            await announcing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static async Task ServeAsync(DeviceWorker device, BrokerSession session, CancellationToken stopping, CancellationToken abort)
    {
        try
        {
            await device.ServeAsync(session, stopping, abort);
        }
        catch (Exception exception)
        {
            // Stops the other devices, too; all start again on the next connection.
            session.Lose(exception.Message);
            throw;
        }
    }

    private async Task SubscribeToControlAsync(IChannel channel, BrokerSession session)
    {
        var queue = await _topology.SubscribeAsync(channel, _topology.Control, session.Lost);
        var consumer = new AsyncEventingBasicConsumer(channel);
        consumer.ReceivedAsync += (_, delivery) =>
        {
            try
            {
                var message = Wire.Read<ControlMessage>(delivery.Body.Span);
                if (message.Newer is { } newer)
                    message = message with { Newer = newer with { TraceParent = TraceHeader.Read(delivery.BasicProperties) } };
                if (message.WhoIsThere)
                    _announce.Release();
                _control.Take(message);
            }
            catch (MessageException)
            {
                // Sent by another version. Missing it only costs time.
            }
            return Task.CompletedTask;
        };
        await channel.BasicConsumeAsync(queue, autoAck: true, consumer, session.Lost);
    }

    private async Task AnnounceAsync(IChannel channel, CancellationToken ending)
    {
        while (!ending.IsCancellationRequested)
        {
            await channel.PublishTransientAsync(_topology.Announcements, "",
                Wire.Write(new Announcement(options.Value.Node,
                    [.. _devices.Where(device => device.Failure is null).Select(device => device.Info)])), ending);
            await ((Task)_announce.WaitAsync(options.Value.AnnounceEvery, ending)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        // Tells the web nodes that the worker is leaving.
        await channel.PublishTransientAsync(_topology.Announcements, "", Wire.Write(new Announcement(options.Value.Node, [])),
            CancellationToken.None);
    }
}

/// <summary>Remembers which jobs were superseded or cancelled, for as long as such jobs may wait. Thread-safe.</summary>
internal sealed class ControlTable(TimeSpan keep, TimeProvider clock)
{
    private const int MaxEntries = 4096;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, JobMessage> _newest = [];
    private readonly HashSet<Guid> _cancelled = [];
    private readonly Queue<(long At, Action Forget)> _age = [];

    /// <summary>Raised for each message, after the table is updated.</summary>
    public event Action<ControlMessage>? Received;

    public void Take(ControlMessage message)
    {
        lock (_lock)
        {
            if (message.Newer is { Canvas: { } canvas } newer
                && (!_newest.TryGetValue(canvas, out var known) || known.Sequence < newer.Sequence))
            {
                _newest[canvas] = newer;
                Remember(() => _ = _newest.TryGetValue(canvas, out var present) && present == newer && _newest.Remove(canvas));
            }
            if (message.Cancelled is { } id && _cancelled.Add(id))
                Remember(() => _cancelled.Remove(id));
            while (_age.Count > MaxEntries || (_age.TryPeek(out var oldest) && clock.GetElapsedTime(oldest.At) > keep))
                _age.Dequeue().Forget();
        }
        Received?.Invoke(message);
    }

    /// <summary>The newest job of the same canvas and model that supersedes this one; null for none.</summary>
    public JobMessage? NewerThan(JobMessage job)
    {
        lock (_lock)
            return job.Canvas is { } canvas
                && _newest.TryGetValue(canvas, out var newest)
                && newest.Sequence > job.Sequence
                && newest.Recipe.Model == job.Recipe.Model
                ? newest
                : null;
    }

    public bool IsCancelled(Guid job)
    {
        lock (_lock)
            return _cancelled.Contains(job);
    }

    private void Remember(Action forget) => _age.Enqueue((clock.GetTimestamp(), forget));
}
