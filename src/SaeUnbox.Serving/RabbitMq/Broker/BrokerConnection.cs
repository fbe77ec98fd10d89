using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using RabbitMQ.Client.Exceptions;

namespace SaeUnbox.Serving.RabbitMq;

/// <summary>
/// Keeps one connection to the broker open. When it breaks, everything built on it is dropped and built again on the next connection; there
/// is no partial recovery.
/// </summary>
internal sealed partial class BrokerConnection(IOptions<RabbitMqOptions> options, TimeProvider clock, ILogger<BrokerConnection> logger)
{
    private static readonly TimeSpan FirstPause =
        TimeSpan.FromMilliseconds(200), LongestPause = TimeSpan.FromSeconds(3), Timeout = TimeSpan.FromSeconds(10);

    // Visitors see this; the log has the address and the reason.
    private const string Unusable = "The broker cannot be reached at the moment.";

    // After two missed heartbeats the broker gives a silent worker's job to another worker.
    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(4);

    /// <summary>The connection is open, and its queues and consumers are set up.</summary>
    public bool IsUp { get; private set; }

    /// <summary>Why there is no connection, in one sentence; null while connected and during the first attempt.</summary>
    public string? Failure { get; private set; }

    /// <summary>Connects, runs <paramref name="use"/>, and reconnects when the connection is lost.</summary>
    /// <param name="name">Shown in the broker's list of connections.</param>
    /// <param name="use">Must return soon after <see cref="BrokerSession.Lost"/> is cancelled.</param>
    /// <param name="stopping">Stops reconnecting.</param>
    public async Task RunAsync(string name, Func<BrokerSession, Task> use, CancellationToken stopping)
    {
        var factory = new ConnectionFactory
        {
            Uri = new Uri(options.Value.Uri),
            AutomaticRecoveryEnabled = false,
            TopologyRecoveryEnabled = false,
            RequestedHeartbeat = Heartbeat,
            RequestedConnectionTimeout = Timeout,
            ContinuationTimeout = Timeout,
        };
        var pause = FirstPause;
        while (!stopping.IsCancellationRequested)
        {
            string reason;
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
                    session.Lose("the connection was closed");
                }
                (Failure, reason) = (Unusable, session.Reason);
            }
            catch (Exception exception)
            {
                reason = Innermost(exception);
                Failure = exception is TopologyException ? $"The broker cannot be used: {reason}" : Unusable;
                if (!stopping.IsCancellationRequested && !IsConnectionFailure(exception) && exception is not OperationCanceledException)
                    Log.Failed(logger, exception, name);
            }
            if (stopping.IsCancellationRequested)
                return;
            Log.Lost(logger, name, options.Value.Address, reason);
            await Task.Delay(pause, clock, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
        }
    }

    /// <summary>Whether the exception means that the connection broke or the broker is unreachable.</summary>
    public static bool IsConnectionFailure(Exception exception) =>
        exception is BrokerUnreachableException or OperationInterruptedException or PublishException or IOException or TopologyException
            or TimeoutException or ObjectDisposedException;

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

        [LoggerMessage(31, LogLevel.Warning, "{Name} has no connection to the broker at {Address} and tries again: {Reason}")]
        public static partial void Lost(ILogger logger, string name, string address, string reason);

        [LoggerMessage(32, LogLevel.Error, "{Name} failed")]
        public static partial void Failed(ILogger logger, Exception exception, string name);
    }
}

/// <summary>One connection with its channels. If a channel fails, the whole session is lost.</summary>
internal sealed class BrokerSession
{
    // Never disposed: its token is still read after the session is lost.
    private readonly CancellationTokenSource _lost = new();
    private readonly IConnection _connection;
    private readonly Action _onSetUp;

    public BrokerSession(IConnection connection, Action onSetUp)
    {
        (_connection, _onSetUp) = (connection, onSetUp);
        connection.ConnectionShutdownAsync += LoseAsync;
    }

    public CancellationToken Lost => _lost.Token;

    /// <summary>Why the session was lost.</summary>
    public string Reason { get; private set; } = "";

    /// <param name="confirms">Publishing waits for the broker's confirm, and throws if the broker refuses the message.</param>
    public async Task<IChannel> OpenAsync(bool confirms = false)
    {
        var channel = await _connection.CreateChannelAsync(new CreateChannelOptions(confirms, confirms), Lost).ConfigureAwait(false);
        channel.ChannelShutdownAsync += LoseAsync;
        return channel;
    }

    /// <summary>Call when queues and consumers are set up.</summary>
    public void SetUp() => _onSetUp();

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
    /// <summary>
    /// Publishes a message that survives a restart of the broker. On a channel with confirms, completes when the broker has stored it.
    /// </summary>
    /// <exception cref="PublishException">
    /// The broker refused it, or the queue does not exist (<see cref="PublishException.IsReturn"/>).
    /// </exception>
    public static ValueTask PublishAsync(this IChannel channel, string exchange, string routingKey, ReadOnlyMemory<byte> body,
        CancellationToken cancellation, Dictionary<string, object?>? headers = null) =>
        channel.BasicPublishAsync(exchange, routingKey, mandatory: exchange.Length == 0,
            new BasicProperties { Persistent = true, Headers = headers }, body, cancellation);

    /// <summary>Publishes a message that may get lost.</summary>
    public static ValueTask PublishTransientAsync(this IChannel channel, string exchange, string routingKey, ReadOnlyMemory<byte> body,
        CancellationToken cancellation, Dictionary<string, object?>? headers = null) =>
        channel.BasicPublishAsync(exchange, routingKey, mandatory: false, new BasicProperties { Headers = headers }, body, cancellation);

    /// <summary>Ignores the outcome.</summary>
    public static void Forget(this ValueTask task) =>
        _ = task.AsTask()
            .ContinueWith(static done => done.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted,
                TaskScheduler.Default);
}
