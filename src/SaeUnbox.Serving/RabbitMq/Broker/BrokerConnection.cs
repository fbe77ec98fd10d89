using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

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
