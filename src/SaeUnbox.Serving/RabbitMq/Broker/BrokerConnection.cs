using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using RabbitMQ.Client.Events;
using RabbitMQ.Client.Exceptions;
using RabbitMQ.Client;

namespace SaeUnbox.Serving.RabbitMq;

/// <summary>
/// Keeps up one connection. Where it breaks, all that stood on it is let go and made again on the next one, so there is one way to begin
/// and none to go on.
/// </summary>
internal sealed partial class BrokerConnection(IOptions<RabbitMqOptions> options, TimeProvider clock, ILogger<BrokerConnection> logger)
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(200), LongestPause = TimeSpan.FromSeconds(3), Patience = TimeSpan.FromSeconds(10);

    // Two missed beats and the broker gives a silent worker's job to another.
    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(4);

    /// <summary>There is a connection, and all that is to stand on it does.</summary>
    public bool IsUp { get; private set; }

    /// <summary>Why there is no connection, in one sentence; null while all is well, and before the first try has ended.</summary>
    public string? Failure { get; private set; }

    /// <summary>Uses a connection for as long as it lasts, then the next.</summary>
    /// <param name="name">Shown in the broker's list of connections.</param>
    /// <param name="use">What to do with it; it ends soon after the connection is lost, and when it wants to where all is to stop.</param>
    /// <param name="stopping">No further connection is made.</param>
    public async Task RunAsync(string name, Func<BrokerSession, Task> use, CancellationToken stopping)
    {
        var factory = new ConnectionFactory
        {
            Uri = new Uri(options.Value.Uri), AutomaticRecoveryEnabled = false, TopologyRecoveryEnabled = false,
            RequestedHeartbeat = Heartbeat, RequestedConnectionTimeout = Patience, ContinuationTimeout = Patience,
        };
        var pause = FirstPause;
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await using var connection = await factory.CreateConnectionAsync(name, stopping).ConfigureAwait(false);
                var session = new BrokerSession(connection, () => (IsUp, Failure, pause) = (true, null, FirstPause));
                Log.Connected(logger, name);
                try
                {
                    await use(session).ConfigureAwait(false);
                }
                finally
                {
                    IsUp = false;
                    session.Lose("it was let go");
                }
                Failure = $"The broker at {options.Value.Place} cannot be used: {session.Reason}";
            }
            catch (Exception exception)
            {
                Failure = $"The broker at {options.Value.Place} cannot be used: {Innermost(exception)}";
                if (!stopping.IsCancellationRequested && !IsLoss(exception) && exception is not OperationCanceledException)
                    Log.Broke(logger, exception, name);
            }
            if (stopping.IsCancellationRequested)
                return;
            Log.Lost(logger, name, Failure);
            await Task.Delay(pause, clock, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
        }
    }

    /// <summary>Whether this is what a broken connection, or a broker that is away, looks like.</summary>
    public static bool IsLoss(Exception exception) =>
        exception is BrokerUnreachableException or OperationInterruptedException or PublishException or IOException or TopologyException or TimeoutException or ObjectDisposedException;

    internal static string Innermost(Exception exception)
    {
        while (exception is not TopologyException && exception.InnerException is { } inner)
            exception = inner;
        return exception.Message;
    }

    private static partial class Log
    {
        [LoggerMessage(30, LogLevel.Information, "{Name} is connected to the broker")]
        public static partial void Connected(ILogger logger, string name);

        [LoggerMessage(31, LogLevel.Warning, "{Name} begins anew: {Reason}")]
        public static partial void Lost(ILogger logger, string name, string reason);

        [LoggerMessage(32, LogLevel.Error, "{Name} broke")]
        public static partial void Broke(ILogger logger, Exception exception, string name);
    }
}

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
