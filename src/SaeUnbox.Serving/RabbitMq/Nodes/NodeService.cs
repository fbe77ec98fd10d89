using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using RabbitMQ.Client.Events;
using RabbitMQ.Client.Exceptions;
using RabbitMQ.Client;

namespace SaeUnbox.Serving.RabbitMq;

/// <summary>A web node's side of the broker: listens to answers and workers, and gives the queue its way out.</summary>
internal sealed partial class NodeService(BrokerQueue queue, WorkerDirectory directory, IOptions<RabbitMqOptions> options, BrokerConnection broker, TimeProvider clock, ILogger<NodeService> logger) : BackgroundService, IServingState
{
    private const ushort AnswersAtOnce = 32;
    private static readonly TimeSpan BetweenTendings = TimeSpan.FromSeconds(1);
    private readonly Topology _topology = new(options.Value);

    /// <summary>The broker can be reached, and some worker is there.</summary>
    public bool IsReady => TakesVisitors && directory.Workers.Count > 0;

    /// <summary>The broker can be reached. Workers come and go, as when a new version is rolled out; the page says so and waits for them.</summary>
    public bool TakesVisitors => broker.IsUp && !IsStopping;

    public string? Missing => TakesVisitors && directory.Workers.Count == 0 ? "No worker is there yet; pictures can be made as soon as one comes." : null;

    public string? Failure => broker.Failure;

    public Task Loaded => directory.AnyAsync(Timeout.InfiniteTimeSpan);

    public bool IsStopping { get; private set; }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        IsStopping = true;
        await queue.DrainAsync(cancellationToken);
        await base.StopAsync(cancellationToken);
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => broker.RunAsync($"web {options.Value.Node}", session => ServeAsync(session, stoppingToken), stoppingToken);

    private async Task ServeAsync(BrokerSession session, CancellationToken stopping)
    {
        var publisher = await session.OpenAsync(confirms: true);
        var teller = await session.OpenAsync();
        await _topology.ClaimNameAsync(teller, "web", options.Value.Node, session.Lost);
        await _topology.DeclareSharedAsync(teller, session.Lost);
        await _topology.DeclareRepliesAsync(teller, options.Value.Node, session.Lost);
        var node = new NodeSession(session, publisher, teller, _topology);
        await HearAnswersAsync(session);
        await HearWorkersAsync(session);
        await HearOfDeadAsync(session, publisher);
        node.Tell(new() { WhoIsThere = true });
        queue.Connected(node);
        session.Up();
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stopping, session.Lost);
        try
        {
            while (!ending.IsCancellationRequested)
            {
                await queue.TendAsync(node);
                await Task.Delay(BetweenTendings, clock, ending.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
        finally
        {
            queue.Disconnected();
        }
    }

    private async Task HearAnswersAsync(BrokerSession session)
    {
        var channel = await session.OpenAsync();
        await channel.BasicQosAsync(0, AnswersAtOnce, global: false, session.Lost);
        await ConsumeAsync(channel, _topology.Replies(options.Value.Node), async message =>
        {
            try
            {
                queue.Take(Reply.Read(message.Body.Span));
            }
            catch (MessageException exception)
            {
                Log.Unreadable(logger, exception.Message);
            }
            await channel.BasicAckAsync(message.DeliveryTag, multiple: false, session.Lost);
        }, session);
    }

    private async Task HearWorkersAsync(BrokerSession session)
    {
        var channel = await session.OpenAsync();
        var ear = await _topology.DeclareEarAsync(channel, _topology.Announcements, session.Lost);
        await ConsumeAsync(channel, ear, async message =>
        {
            try
            {
                directory.Take(Wire.Read<Announcement>(message.Body.Span));
            }
            catch (MessageException exception)
            {
                Log.Unreadable(logger, exception.Message);
            }
            await channel.BasicAckAsync(message.DeliveryTag, multiple: false, session.Lost);
        }, session);
    }

    // Any web node tells those who asked for a job that was set aside, whichever node they are on.
    private async Task HearOfDeadAsync(BrokerSession session, IChannel publisher)
    {
        var channel = await session.OpenAsync();
        await channel.BasicQosAsync(0, prefetchCount: 1, global: false, session.Lost);
        await ConsumeAsync(channel, _topology.DeadNotices, async message =>
        {
            if (DeadLetter.Of(message.Body, message.BasicProperties).ToReply() is var (replyTo, reply))
                try
                {
                    await publisher.PublishAsync("", replyTo, reply.ToBytes(), session.Lost);
                }
                catch (PublishException exception) when (exception.IsReturn)
                {
                    // Nobody waits for it any more.
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
                // What was not acknowledged comes again on the next connection.
                session.Lose(exception.Message);
            }
        };
        await channel.BasicConsumeAsync(from, autoAck: false, consumer, session.Lost);
    }

    private static partial class Log
    {
        [LoggerMessage(55, LogLevel.Warning, "A message is left out: {Reason}")]
        public static partial void Unreadable(ILogger logger, string reason);
    }
}

/// <summary>What a web node can do while it is connected.</summary>
internal sealed class NodeSession(BrokerSession session, IChannel publisher, IChannel teller, Topology topology)
{
    private readonly HashSet<string> _declared = [];
    private readonly SemaphoreSlim _declaring = new(1);

    public CancellationToken Lost => session.Lost;

    /// <summary>Hands a job to a queue; ends when the broker has it safe.</summary>
    /// <exception cref="TimeoutException">The broker said nothing for so long; it may have it or not.</exception>
    public Task PublishAsync(string queue, ReadOnlyMemory<byte> message, string? traceParent, TimeSpan patience) =>
        publisher.PublishAsync("", queue, message, Lost, TraceHeader.Of(traceParent)).AsTask().WaitAsync(patience);

    public async Task DeclareModelAsync(string model)
    {
        await _declaring.WaitAsync(Lost).ConfigureAwait(false);
        try
        {
            if (_declared.Add(model))
                await topology.DeclareModelAsync(teller, model, Lost).ConfigureAwait(false);
        }
        finally
        {
            _declaring.Release();
        }
    }

    /// <summary>Tells all workers; it may be lost.</summary>
    public void Tell(ControlMessage message) => teller.TellAsync(topology.Control, "", Wire.Write(message), Lost, TraceHeader.Of(message.Newer?.TraceParent)).Forget();

    /// <summary>Jobs that wait in a queue.</summary>
    public async Task<int> CountAsync(string queue) => (int)await teller.MessageCountAsync(queue, Lost).ConfigureAwait(false);
}
