using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using RabbitMQ.Client.Exceptions;

namespace SaeUnbox.Serving.RabbitMq;

/// <summary>Connects a web node to the broker: consumes replies and worker announcements, and gives the publisher its session.</summary>
internal sealed partial class NodeService(
    BrokerQueue queue, JobPublisher publisher, WorkerDirectory directory, IOptions<RabbitMqOptions> options, BrokerConnection broker,
    TimeProvider clock,
    ILogger<NodeService> logger) : BackgroundService, IServingState
{
    private const ushort RepliesPrefetched = 32;
    private static readonly TimeSpan BetweenChecks = TimeSpan.FromSeconds(1);
    private readonly Topology _topology = new(options.Value);

    /// <summary>The broker is reachable, and at least one worker is connected.</summary>
    public bool IsReady => TakesVisitors && directory.Workers.Count > 0;

    /// <summary>The broker is reachable. With no worker, as during a rollout, the page says so and waits for one.</summary>
    public bool TakesVisitors => broker.IsUp && !IsStopping;

    public string? Missing =>
        TakesVisitors && directory.Workers.Count == 0 ? "No worker is connected yet. Pictures can be made as soon as one is." : null;

    public string? Failure => broker.Failure;

    public Task Loaded => directory.AnyAsync(Timeout.InfiniteTimeSpan);

    public bool IsStopping { get; private set; }

    public Task DrainAsync(CancellationToken cancellationToken = default)
    {
        IsStopping = true;
        return queue.DrainAsync(cancellationToken);
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await DrainAsync(cancellationToken);
        await base.StopAsync(cancellationToken);
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        broker.RunAsync($"web {options.Value.Node}", session => ServeAsync(session, stoppingToken), stoppingToken);

    private async Task ServeAsync(BrokerSession session, CancellationToken stopping)
    {
        var confirmed = await session.OpenAsync(confirms: true);
        var unconfirmed = await session.OpenAsync();
        await _topology.ClaimNameAsync(unconfirmed, "web", options.Value.Node, session.Lost);
        await _topology.DeclareSharedAsync(unconfirmed, session.Lost);
        await _topology.DeclareRepliesAsync(unconfirmed, options.Value.Node, session.Lost);
        var node = new NodeSession(session, confirmed, unconfirmed, _topology);
        await ConsumeRepliesAsync(session);
        await ConsumeAnnouncementsAsync(session);
        await ConsumeDeadNoticesAsync(session, confirmed);
        node.Broadcast(new() { WhoIsThere = true });
        publisher.Connected(node);
        session.SetUp();
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stopping, session.Lost);
        try
        {
            while (!ending.IsCancellationRequested)
            {
                await queue.CheckWaitingAsync(node);
                await Task.Delay(BetweenChecks, clock, ending.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
        finally
        {
            publisher.Disconnected();
        }
    }

    private async Task ConsumeRepliesAsync(BrokerSession session)
    {
        var channel = await session.OpenAsync();
        await channel.BasicQosAsync(0, RepliesPrefetched, global: false, session.Lost);
        await ConsumeAsync(channel, _topology.Replies(options.Value.Node), async message =>
        {
            try
            {
                queue.OnReply(Reply.Read(message.Body.Span));
            }
            catch (MessageException exception)
            {
                Log.Unreadable(logger, exception.Message);
            }
            await channel.BasicAckAsync(message.DeliveryTag, multiple: false, session.Lost);
        }, session);
    }

    private async Task ConsumeAnnouncementsAsync(BrokerSession session)
    {
        var channel = await session.OpenAsync();
        var subscription = await _topology.SubscribeAsync(channel, _topology.Announcements, session.Lost);
        await ConsumeAsync(channel, subscription, async message =>
        {
            try
            {
                directory.Update(Wire.Read<Announcement>(message.Body.Span));
            }
            catch (MessageException exception)
            {
                Log.Unreadable(logger, exception.Message);
            }
            await channel.BasicAckAsync(message.DeliveryTag, multiple: false, session.Lost);
        }, session);
    }

    // All nodes share this queue: whichever node gets the notice passes it on to the node that submitted the job.
    private async Task ConsumeDeadNoticesAsync(BrokerSession session, IChannel replies)
    {
        var channel = await session.OpenAsync();
        await channel.BasicQosAsync(0, prefetchCount: 1, global: false, session.Lost);
        await ConsumeAsync(channel, _topology.DeadNotices, async message =>
        {
            if (DeadLetter.Of(message.Body, message.BasicProperties).ToReply() is var (replyTo, reply))
                try
                {
                    await replies.PublishAsync("", replyTo, reply.ToBytes(), session.Lost);
                }
                catch (PublishException exception) when (exception.IsReturn)
                {
                    // The node that submitted the job is gone.
                }
            await channel.BasicAckAsync(message.DeliveryTag, multiple: false, session.Lost);
        }, session);
    }

    private static async Task ConsumeAsync(IChannel channel, string from, Func<BasicDeliverEventArgs, Task> handle, BrokerSession session)
    {
        var consumer = new AsyncEventingBasicConsumer(channel);
        consumer.ReceivedAsync += async (_, message) =>
        {
            try
            {
                await handle(message);
            }
            catch (Exception exception)
            {
                // The broker redelivers unacknowledged messages on the next connection.
                session.Lose(exception.Message);
            }
        };
        await channel.BasicConsumeAsync(from, autoAck: false, consumer, session.Lost);
    }

    private static partial class Log
    {
        [LoggerMessage(55, LogLevel.Warning, "Ignored a message: {Reason}")]
        public static partial void Unreadable(ILogger logger, string reason);
    }
}

/// <summary>Publishes over one connection of a web node.</summary>
internal sealed class NodeSession(BrokerSession session, IChannel confirmed, IChannel unconfirmed, Topology topology)
{
    private readonly HashSet<string> _declared = [];
    private readonly SemaphoreSlim _declaring = new(1);

    public CancellationToken Lost => session.Lost;

    /// <summary>Completes when the broker has stored the message.</summary>
    /// <exception cref="TimeoutException">The broker did not confirm in time; it may or may not have the message.</exception>
    public Task PublishAsync(string queue, ReadOnlyMemory<byte> message, string? traceParent, TimeSpan timeout) =>
        confirmed.PublishAsync("", queue, message, Lost, TraceHeader.Of(traceParent)).AsTask().WaitAsync(timeout);

    public async Task DeclareModelAsync(string model)
    {
        await _declaring.WaitAsync(Lost).ConfigureAwait(false);
        try
        {
            if (_declared.Add(model))
                await topology.DeclareModelAsync(unconfirmed, model, Lost).ConfigureAwait(false);
        }
        finally
        {
            _declaring.Release();
        }
    }

    /// <summary>Sends a message to all workers. Delivery is not guaranteed.</summary>
    public void Broadcast(ControlMessage message) =>
        unconfirmed.PublishTransientAsync(topology.Control, "", Wire.Write(message), Lost, TraceHeader.Of(message.Newer?.TraceParent))
            .Forget();

    /// <summary>How many jobs wait in a queue.</summary>
    public async Task<int> CountAsync(string queue) => (int)await unconfirmed.MessageCountAsync(queue, Lost).ConfigureAwait(false);
}
