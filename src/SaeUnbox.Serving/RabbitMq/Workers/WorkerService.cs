using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using RabbitMQ.Client.Events;
using RabbitMQ.Client;

namespace SaeUnbox.Serving.RabbitMq;

/// <summary>A worker process: its devices take jobs from the broker, once their models are loaded.</summary>
internal sealed class WorkerService(IReadOnlyList<IJobExecutor> executors, IOptions<RabbitMqOptions> options, BrokerConnection broker, TimeProvider clock, ILogger<WorkerService> logger) : BackgroundService, IServingState
{
    private readonly Topology _topology = new(options.Value);
    private readonly ControlTable _control = new(options.Value.LiveTimeToLive, clock);
    private readonly RecentAnswers _recent = new();
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
                    devices.Add(new($"{options.Value.Node}.{i}", executor, models, options.Value, _topology, _control, _recent, clock, logger));
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
        var ears = await session.OpenAsync();
        await ListenAsync(ears, session);
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
            // The others must not go on without it.
            session.Lose(exception.Message);
            throw;
        }
    }

    private async Task ListenAsync(IChannel channel, BrokerSession session)
    {
        var queue = await _topology.DeclareEarAsync(channel, _topology.Control, session.Lost);
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
                // Of another version; nothing is lost but time.
            }
            return Task.CompletedTask;
        };
        await channel.BasicConsumeAsync(queue, autoAck: true, consumer, session.Lost);
    }

    private async Task AnnounceAsync(IChannel channel, CancellationToken ending)
    {
        while (!ending.IsCancellationRequested)
        {
            await channel.TellAsync(_topology.Announcements, "", Wire.Write(new Announcement(options.Value.Node, [.. _devices.Where(device => device.Failure is null).Select(device => device.Info)])), ending);
            await ((Task)_announce.WaitAsync(options.Value.AnnounceEvery, ending)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        // Farewell; where the connection is lost nobody hears it.
        await channel.TellAsync(_topology.Announcements, "", Wire.Write(new Announcement(options.Value.Node, [])), CancellationToken.None);
    }
}

/// <summary>What this worker was told of superseded and cancelled jobs, for as long as such jobs may wait.</summary>
internal sealed class ControlTable(TimeSpan keep, TimeProvider clock)
{
    private const int Most = 4096;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, JobMessage> _newest = [];
    private readonly HashSet<Guid> _cancelled = [];
    private readonly Queue<(long At, Action Forget)> _age = [];

    /// <summary>Told of each message, once the table knows it.</summary>
    public event Action<ControlMessage>? Told;

    public void Take(ControlMessage message)
    {
        lock (_lock)
        {
            if (message.Newer is { Canvas: { } canvas } newer && (!_newest.TryGetValue(canvas, out var known) || known.Sequence < newer.Sequence))
            {
                _newest[canvas] = newer;
                Remember(() => _ = _newest.TryGetValue(canvas, out var present) && present == newer && _newest.Remove(canvas));
            }
            if (message.Cancelled is { } id && _cancelled.Add(id))
                Remember(() => _cancelled.Remove(id));
            while (_age.Count > Most || (_age.TryPeek(out var oldest) && clock.GetElapsedTime(oldest.At) > keep))
                _age.Dequeue().Forget();
        }
        Told?.Invoke(message);
    }

    /// <summary>The newest job that takes this one's place; null where there is none. It is of the same model.</summary>
    public JobMessage? NewerThan(JobMessage job)
    {
        lock (_lock)
            return job.Canvas is { } canvas && _newest.TryGetValue(canvas, out var newest) && newest.Sequence > job.Sequence && newest.Recipe.Model == job.Recipe.Model ? newest : null;
    }

    public bool IsCancelled(Guid job)
    {
        lock (_lock)
            return _cancelled.Contains(job);
    }

    private void Remember(Action forget) => _age.Enqueue((clock.GetTimestamp(), forget));
}
