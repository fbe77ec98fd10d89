using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using RabbitMQ.Client.Exceptions;

namespace SaeUnbox.Serving.RabbitMq;

/// <summary>All that stands on one connection; where a part of it breaks, all of it is lost.</summary>
internal sealed class BrokerSession
{
    // Never disposed: those who come late must find it cancelled.
    private readonly CancellationTokenSource _lost = new();
    private readonly IConnection _connection;

    private readonly Action _up;

    /// <param name="connection">The connection.</param>
    /// <param name="up">Told when all stands.</param>
    public BrokerSession(IConnection connection, Action up)
    {
        (_connection, _up) = (connection, up);
        connection.ConnectionShutdownAsync += LoseAsync;
    }

    public CancellationToken Lost => _lost.Token;

    /// <summary>Why it was lost.</summary>
    public string Reason { get; private set; } = "";

    /// <param name="confirms">Publishing ends when the broker has taken the message, and throws where it has not.</param>
    public async Task<IChannel> OpenAsync(bool confirms = false)
    {
        var channel = await _connection.CreateChannelAsync(new CreateChannelOptions(confirms, confirms), Lost).ConfigureAwait(false);
        channel.ChannelShutdownAsync += LoseAsync;
        return channel;
    }

    /// <summary>All that is to stand on it does.</summary>
    public void Up() => _up();

    public void Lose(string reason)
    {
        if (Reason.Length == 0)
            Reason = reason;
        _lost.Cancel();
    }

    private Task LoseAsync(object sender, ShutdownEventArgs why)
    {
        Lose(why.ReplyText);
        return Task.CompletedTask;
    }
}

internal static class Publishing
{
    /// <summary>Publishes a message that outlives the broker's restart; on a channel with confirms it ends when the broker has it safe.</summary>
    /// <exception cref="PublishException">The broker refused it, or there is no such queue (<see cref="PublishException.IsReturn"/>).</exception>
    public static ValueTask PublishAsync(this IChannel channel, string exchange, string routingKey, ReadOnlyMemory<byte> body, CancellationToken cancellation, Dictionary<string, object?>? headers = null) =>
        channel.BasicPublishAsync(exchange, routingKey, mandatory: exchange.Length == 0, new BasicProperties { Persistent = true, Headers = headers }, body, cancellation);

    /// <summary>Publishes a message that may be lost.</summary>
    public static ValueTask TellAsync(this IChannel channel, string exchange, string routingKey, ReadOnlyMemory<byte> body, CancellationToken cancellation, Dictionary<string, object?>? headers = null) =>
        channel.BasicPublishAsync(exchange, routingKey, mandatory: false, new BasicProperties { Headers = headers }, body, cancellation);

    /// <summary>What becomes of it matters to nobody.</summary>
    public static void Forget(this ValueTask task) => _ = task.AsTask().ContinueWith(static done => done.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
}
