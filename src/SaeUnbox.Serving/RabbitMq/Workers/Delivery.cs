using RabbitMQ.Client;

namespace SaeUnbox.Serving.RabbitMq;

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
