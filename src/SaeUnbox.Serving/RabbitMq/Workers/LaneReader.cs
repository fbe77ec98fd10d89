using System.Threading.Channels;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace SaeUnbox.Serving.RabbitMq;

/// <summary>
/// Fetches a device's next job. While jobs wait, it pulls one at a time in the order of the lanes; otherwise it subscribes to all lanes
/// until one arrives. A worker therefore holds no jobs that another could be running.
/// </summary>
internal sealed class LaneReader
{
    private readonly LaneOrder _order = new();
    private readonly Channel<Delivery> _arrived = Channel.CreateUnbounded<Delivery>();
    private readonly List<Delivery> _held = [];
    private readonly List<Source> _sources = [];
    private Task _unsubscribed = Task.CompletedTask;
    private int _turn;

    public static async Task<LaneReader> OpenAsync(BrokerSession session, IEnumerable<LaneQueue> queues)
    {
        var reader = new LaneReader();
        foreach (var from in queues)
        {
            var channel = await session.OpenAsync();
            await channel.BasicQosAsync(0, prefetchCount: 1, global: false, session.Lost);
            var consumer = new AsyncEventingBasicConsumer(channel);
            consumer.ReceivedAsync += (_, message) =>
            {
                reader._arrived.Writer.TryWrite(Delivery.Of(channel, message.DeliveryTag, from.Lane, message.Body,
                    message.BasicProperties));
                return Task.CompletedTask;
            };
            reader._sources.Add(new(from, channel, consumer));
        }
        return reader;
    }

    /// <summary>Waits for the next job.</summary>
    public async Task<Delivery> TakeAsync(CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        var delivery = await TakeHeldAsync() ?? await PullAsync(cancellation) ?? await WaitAsync(cancellation);
        _order.Took(delivery.Lane);
        return delivery;
    }

    /// <summary>Jobs that were delivered but not taken; the caller returns them to the broker.</summary>
    public async Task<IReadOnlyList<Delivery>> HeldAsync()
    {
        await _unsubscribed;
        while (_arrived.Reader.TryRead(out var late))
            _held.Add(late);
        return _held;
    }

    // Several lanes may deliver before the subscriptions end.
    private async Task<Delivery?> TakeHeldAsync()
    {
        await _unsubscribed;
        while (_arrived.Reader.TryRead(out var late))
            _held.Add(late);
        var order = _order.Next();
        if (order.Select(lane => _held.Find(held => held.Lane == lane)).FirstOrDefault(held => held is not null) is not { } next)
            return null;
        _held.Remove(next);
        return next;
    }

    private async Task<Delivery?> PullAsync(CancellationToken cancellation)
    {
        _turn++;
        // Counting is cheaper for the broker than a get on an empty quorum queue, which goes through its log.
        var counts = await Task.WhenAll(_sources.Select(source => source.From.CountAsync(source.Channel, cancellation)));
        foreach (var lane in _order.Next())
        {
            // Models within a lane take turns.
            var sources = _sources.Zip(counts).Where(pair => pair.First.From.Lane == lane).ToArray();
            for (var i = 0; i < sources.Length; i++)
            {
                var ((from, channel, _), count) = sources[(i + _turn) % sources.Length];
                if (count > 0 && await channel.BasicGetAsync(from.Queue, autoAck: false, cancellation) is { } got)
                    return Delivery.Of(channel, got.DeliveryTag, lane, got.Body, got.BasicProperties);
            }
        }
        return null;
    }

    private async Task<Delivery> WaitAsync(CancellationToken cancellation)
    {
        var tags = await Task.WhenAll(_sources.Select(source => source.Channel.BasicConsumeAsync(source.From.Queue, autoAck: false,
            source.Consumer, cancellation)));
        try
        {
            return await _arrived.Reader.ReadAsync(cancellation);
        }
        finally
        {
            // Unsubscribes while the job runs.
            _unsubscribed = Task.WhenAll(_sources.Zip(tags, (source, tag) => source.Channel.BasicCancelAsync(tag)));
        }
    }

    private sealed record Source(LaneQueue From, IChannel Channel, AsyncEventingBasicConsumer Consumer);
}

/// <param name="CountAsync">Counts the jobs that wait in the queue.</param>
internal sealed record LaneQueue(Lane Lane, string Queue, Func<IChannel, CancellationToken, Task<uint>> CountAsync);

internal enum Lane
{
    /// <summary>Jobs of canvases, for any worker.</summary>
    Live,

    /// <summary>Jobs reserved for this worker for a short time, because it ran their canvas's last job.</summary>
    Affinity,

    /// <summary>Jobs without a canvas.</summary>
    Batch,
}

/// <summary>
/// The order in which a worker looks for its next job: live, then affinity (those jobs are newer), then batch. After eight jobs without a
/// batch job, batch comes first once, so that it does not starve.
/// </summary>
internal sealed class LaneOrder
{
    private const int LiveInRow = 8;
    private int _live;

    public IReadOnlyList<Lane> Next() =>
        _live >= LiveInRow ? [Lane.Batch, Lane.Live, Lane.Affinity] : [Lane.Live, Lane.Affinity, Lane.Batch];

    public void Took(Lane lane) => _live = lane == Lane.Batch ? 0 : _live + 1;
}

/// <summary>A delivered message that is not acknowledged yet.</summary>
/// <param name="Tag">The delivery tag on its channel.</param>
/// <param name="Tries">How often the job was tried before.</param>
/// <param name="TraceParent">W3C traceparent of the job's span; null without tracing.</param>
internal sealed record Delivery(IChannel Channel, ulong Tag, Lane Lane, byte[] Body, int Tries, string? TraceParent)
{
    /// <summary>
    /// Header with the tries before this copy was published. The broker itself counts those that ended with a lost worker.
    /// </summary>
    public const string TriesHeader = "x-tries";

    public static Delivery Of(IChannel channel, ulong tag, Lane lane, ReadOnlyMemory<byte> body, IReadOnlyBasicProperties properties) =>
        new(channel, tag, lane, body.ToArray(), Count(properties, "x-delivery-count") + Count(properties, TriesHeader),
            TraceHeader.Read(properties));

    public ValueTask AckAsync(CancellationToken cancellation) => Channel.BasicAckAsync(Tag, multiple: false, cancellation);

    /// <summary>Returns the message to its queue. The broker counts this as a try.</summary>
    public ValueTask ReturnAsync(CancellationToken cancellation) =>
        Channel.BasicNackAsync(Tag, multiple: false, requeue: true, cancellation);

    private static int Count(IReadOnlyBasicProperties properties, string header) =>
        properties.Headers?.TryGetValue(header, out var value) == true
            ? value switch { int count => count, long count => (int)count, _ => 0 }
            : 0;
}
