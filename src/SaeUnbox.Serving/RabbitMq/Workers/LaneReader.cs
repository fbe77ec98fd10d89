using System.Threading.Channels;
using RabbitMQ.Client.Events;
using RabbitMQ.Client;

namespace SaeUnbox.Serving.RabbitMq;

/// <summary>
/// Gets a worker its next job. While there are jobs it pulls one at a time, in the lanes' order; with none it waits for the first that
/// comes by any lane. So a worker holds what it does, and nothing that another could be doing. Used by one device.
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
                reader._arrived.Writer.TryWrite(Delivery.Of(channel, message.DeliveryTag, from.Lane, message.Body, message.BasicProperties));
                return Task.CompletedTask;
            };
            reader._sources.Add(new(from, channel, consumer));
        }
        return reader;
    }

    /// <summary>The next job; waits for one.</summary>
    public async Task<Delivery> TakeAsync(CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        var delivery = await TakeHeldAsync() ?? await PullAsync(cancellation) ?? await WaitAsync(cancellation);
        _order.Took(delivery.Lane);
        return delivery;
    }

    /// <summary>What came along and was not begun; it is to be given back.</summary>
    public async Task<IReadOnlyList<Delivery>> HeldAsync()
    {
        await _unsubscribed;
        while (_arrived.Reader.TryRead(out var late))
            _held.Add(late);
        return _held;
    }

    // Two lanes may each deliver in the moment before the others are closed.
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
        // To count costs the broker less than to take from an empty quorum queue, which it has to write down.
        var counts = await Task.WhenAll(_sources.Select(source => source.From.CountAsync(source.Channel, cancellation)));
        foreach (var lane in _order.Next())
        {
            // The models of a lane take turns.
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
        var tags = await Task.WhenAll(_sources.Select(source => source.Channel.BasicConsumeAsync(source.From.Queue, autoAck: false, source.Consumer, cancellation)));
        try
        {
            return await _arrived.Reader.ReadAsync(cancellation);
        }
        finally
        {
            // While the job is done already.
            _unsubscribed = Task.WhenAll(_sources.Zip(tags, (source, tag) => source.Channel.BasicCancelAsync(tag)));
        }
    }

    private sealed record Source(LaneQueue From, IChannel Channel, AsyncEventingBasicConsumer Consumer);
}

/// <param name="Lane">The lane.</param>
/// <param name="Queue">One of its queues.</param>
/// <param name="CountAsync">How many jobs wait in it.</param>
internal sealed record LaneQueue(Lane Lane, string Queue, Func<IChannel, CancellationToken, Task<uint>> CountAsync);

internal enum Lane
{
    /// <summary>Jobs of canvases.</summary>
    Live,

    /// <summary>Jobs of canvases whose last job this worker did, a short while before they go to the others.</summary>
    Private,

    /// <summary>All others.</summary>
    Batch,
}

/// <summary>
/// In which order a worker looks for its next job: live first, then its own, which came later than those; then batch, which goes first every
/// so often, so that it is not left behind.
/// </summary>
internal sealed class LaneOrder
{
    private const int LiveInRow = 8;
    private int _live;

    public IReadOnlyList<Lane> Next() => _live >= LiveInRow ? [Lane.Batch, Lane.Live, Lane.Private] : [Lane.Live, Lane.Private, Lane.Batch];

    public void Took(Lane lane) => _live = lane == Lane.Batch ? 0 : _live + 1;
}

/// <summary>A message that a worker holds.</summary>
/// <param name="Channel">The channel it came by.</param>
/// <param name="Tag">Its tag there.</param>
/// <param name="Lane">The lane it came by.</param>
/// <param name="Body">The message.</param>
/// <param name="Tries">How often it was tried before.</param>
/// <param name="TraceParent">The span it belongs to; null for none.</param>
internal sealed record Delivery(IChannel Channel, ulong Tag, Lane Lane, byte[] Body, int Tries, string? TraceParent)
{
    /// <summary>Counts the tries before this copy was made; those that ended with their worker the broker counts itself.</summary>
    public const string TriesHeader = "x-tries";

    public static Delivery Of(IChannel channel, ulong tag, Lane lane, ReadOnlyMemory<byte> body, IReadOnlyBasicProperties properties) =>
        new(channel, tag, lane, body.ToArray(), Count(properties, "x-delivery-count") + Count(properties, TriesHeader), TraceHeader.Read(properties));

    /// <summary>It is done with.</summary>
    public ValueTask AckAsync(CancellationToken cancellation) => Channel.BasicAckAsync(Tag, multiple: false, cancellation);

    /// <summary>Another is to have it; the broker counts it as a try.</summary>
    public ValueTask ReturnAsync(CancellationToken cancellation) => Channel.BasicNackAsync(Tag, multiple: false, requeue: true, cancellation);

    private static int Count(IReadOnlyBasicProperties properties, string header) =>
        properties.Headers?.TryGetValue(header, out var value) == true ? value switch { int count => count, long count => (int)count, _ => 0 } : 0;
}
