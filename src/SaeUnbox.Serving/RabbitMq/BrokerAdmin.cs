using System.Text;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using RabbitMQ.Client.Exceptions;

namespace SaeUnbox.Serving.RabbitMq;

/// <summary>Operator's view of the broker: workers, queues and dead-lettered jobs.</summary>
public sealed class BrokerAdmin : IAsyncDisposable
{
    private const int MaxListed = 1000;

    private readonly IConnection _connection;
    private readonly IChannel _channel;
    private readonly Topology _topology;

    private BrokerAdmin(IConnection connection, IChannel channel, Topology topology) =>
        (_connection, _channel, _topology) = (connection, channel, topology);

    /// <exception cref="IOException">The broker cannot be reached, or refuses the login.</exception>
    public static async Task<BrokerAdmin> ConnectAsync(RabbitMqOptions options, CancellationToken cancellation = default)
    {
        if (new RabbitMqOptionsValidator().Validate(null, options) is { Failed: true } wrong)
            throw new IOException(string.Join(' ', wrong.Failures));
        try
        {
            var connection = await new ConnectionFactory { Uri = new Uri(options.Uri) }.CreateConnectionAsync("admin", cancellation)
                .ConfigureAwait(false);
            var channel = await connection.CreateChannelAsync(new CreateChannelOptions(true, true), cancellation).ConfigureAwait(false);
            var topology = new Topology(options);
            await topology.DeclareSharedAsync(channel, cancellation).ConfigureAwait(false);
            return new(connection, channel, topology);
        }
        catch (Exception exception) when (BrokerConnection.IsConnectionFailure(exception))
        {
            throw new IOException($"The broker at {options.Address} cannot be used: {BrokerConnection.Innermost(exception)}", exception);
        }
    }

    /// <summary>The workers that answer within <paramref name="patience"/>.</summary>
    public async Task<IReadOnlyList<WorkerInfo>> WorkersAsync(TimeSpan patience, CancellationToken cancellation = default)
    {
        var directory = new WorkerDirectory(TimeSpan.FromHours(1), TimeProvider.System);
        await using var channel = await _connection.CreateChannelAsync(cancellationToken: cancellation).ConfigureAwait(false);
        var subscription = await _topology.SubscribeAsync(channel, _topology.Announcements, cancellation).ConfigureAwait(false);
        var consumer = new AsyncEventingBasicConsumer(channel);
        consumer.ReceivedAsync += (_, message) =>
        {
            directory.Update(Wire.Read<Announcement>(message.Body.Span));
            return Task.CompletedTask;
        };
        await channel.BasicConsumeAsync(subscription, autoAck: true, consumer, cancellation).ConfigureAwait(false);
        await channel.PublishTransientAsync(_topology.Control, "", Wire.Write(new ControlMessage { WhoIsThere = true }), cancellation)
            .ConfigureAwait(false);
        await Task.Delay(patience, cancellation).ConfigureAwait(false);
        return directory.Workers;
    }

    /// <summary>
    /// How many messages wait in these models' queues and in the dead-letter queue. Queues that do not exist are left out.
    /// </summary>
    public async Task<IReadOnlyList<QueueDepth>> QueuesAsync(IEnumerable<string> models, CancellationToken cancellation = default)
    {
        var depths = new List<QueueDepth>();
        foreach (var queue in models.SelectMany(model => new[] { _topology.Live(model), _topology.Batch(model) }).Append(_topology.Dead))
            if (await CountAsync(queue, cancellation).ConfigureAwait(false) is { } count)
                depths.Add(new(queue, count));
        return depths;
    }

    // Uses its own channel: the broker closes a channel that asks for a missing queue.
    private async Task<int?> CountAsync(string queue, CancellationToken cancellation)
    {
        await using var channel = await _connection.CreateChannelAsync(cancellationToken: cancellation).ConfigureAwait(false);
        try
        {
            return (int)await channel.MessageCountAsync(queue, cancellation).ConfigureAwait(false);
        }
        catch (OperationInterruptedException exception) when (exception.ShutdownReason?.ReplyCode == Constants.NotFound)
        {
            return null;
        }
    }

    /// <summary>The oldest dead-lettered jobs, oldest first. They stay in the queue.</summary>
    public async Task<IReadOnlyList<DeadJob>> DeadAsync(CancellationToken cancellation = default)
    {
        var dead = new List<DeadJob>();
        // Unacknowledged messages return to the queue when the channel closes.
        await using var channel = await _connection.CreateChannelAsync(cancellationToken: cancellation).ConfigureAwait(false);
        while (dead.Count < MaxListed
            && await channel.BasicGetAsync(_topology.Dead, autoAck: false, cancellation).ConfigureAwait(false) is { } message)
            dead.Add(DeadLetter.Of(message.Body, message.BasicProperties).ToDeadJob());
        return dead;
    }

    /// <summary>Moves dead-lettered jobs back to their queues, with their tries reset.</summary>
    /// <param name="jobs">Null for all. Messages that are not jobs stay.</param>
    /// <param name="cancellation">Stops between two jobs.</param>
    /// <returns>How many were moved.</returns>
    /// <exception cref="IOException">A queue is missing or full; the job stays dead-lettered.</exception>
    public async Task<int> RequeueAsync(IReadOnlyCollection<Guid>? jobs = null, CancellationToken cancellation = default)
    {
        var count = 0;
        await using var channel = await _connection.CreateChannelAsync(cancellationToken: cancellation).ConfigureAwait(false);
        while (await channel.BasicGetAsync(_topology.Dead, autoAck: false, cancellation).ConfigureAwait(false) is { } message)
        {
            if (DeadLetter.Of(message.Body, message.BasicProperties).TryReadJob() is not { } job || jobs?.Contains(job.Job) == false)
                continue;
            var queue = job.Canvas is null ? _topology.Batch(job.Recipe.Model) : _topology.Live(job.Recipe.Model);
            try
            {
                await _channel.PublishAsync("", queue, message.Body, cancellation).ConfigureAwait(false);
            }
            catch (PublishException exception)
            {
                throw new IOException(
                    exception.IsReturn
                        ? $"There is no queue '{queue}'; start a worker that has the model first."
                        : $"The queue '{queue}' is full.", exception);
            }
            await channel.BasicAckAsync(message.DeliveryTag, multiple: false, cancellation).ConfigureAwait(false);
            count++;
        }
        return count;
    }

    /// <summary>
    /// Deletes all queues and exchanges of these models and of one node, with their messages. Stop nodes and workers first.
    /// </summary>
    public async Task DeleteAsync(IEnumerable<string> models, string node, CancellationToken cancellation = default)
    {
        var queues = models.SelectMany(model => new[]
        {
            _topology.Live(model),
            _topology.Batch(model),
            _topology.Affinity($"{node}.0", model)
        })
            .Concat([_topology.Replies(node), _topology.Dead, _topology.DeadNotices]);
        foreach (var queue in queues)
            await _channel.QueueDeleteAsync(queue, ifUnused: false, ifEmpty: false, cancellationToken: cancellation).ConfigureAwait(false);
        foreach (var exchange in new[] { _topology.Control, _topology.Announcements, _topology.Dead })
            await _channel.ExchangeDeleteAsync(exchange, cancellationToken: cancellation).ConfigureAwait(false);
    }

    public async ValueTask DisposeAsync()
    {
        await _channel.DisposeAsync().ConfigureAwait(false);
        await _connection.DisposeAsync().ConfigureAwait(false);
    }
}

public sealed record QueueDepth(string Queue, int Messages);

/// <summary>A dead-lettered job.</summary>
/// <param name="Job">Null if the message is not a job.</param>
/// <param name="Model">Null if the message is not a job.</param>
/// <param name="Reason">In a few words.</param>
public sealed record DeadJob(Guid? Job, string? Model, string Reason);

/// <summary>A message from the dead-letter queue.</summary>
/// <param name="Reason">Why it is there, in a few words.</param>
internal sealed record DeadLetter(byte[] Body, string Reason)
{
    public const string ReasonHeader = "x-reason", WorkerHeader = "x-worker";

    // Set by the broker when it dead-letters a message itself; the latest reason comes first.
    private const string Deaths = "x-death";

    public static DeadLetter Of(ReadOnlyMemory<byte> body, IReadOnlyBasicProperties properties) =>
        new(body.ToArray(), ReasonOf(properties.Headers));

    /// <summary>The failure report, and where to send it; null if the message is not a job.</summary>
    public (string ReplyTo, Reply Reply)? ToReply() =>
        TryReadJob() is { } job
            ? (job.ReplyTo, new Reply(new GenerationProgress.Failed(job.Job, $"The picture could not be made: {Reason}."), ""))
            : null;

    public DeadJob ToDeadJob() => TryReadJob() is { } job ? new(job.Job, job.Recipe.Model, Reason) : new(null, null, Reason);

    /// <returns>Null if the message is not a job.</returns>
    public JobMessage? TryReadJob()
    {
        try
        {
            return Wire.Read<JobMessage>(Body);
        }
        catch (MessageException)
        {
            return null;
        }
    }

    private static string ReasonOf(IDictionary<string, object?>? headers)
    {
        if (headers?.TryGetValue(ReasonHeader, out var given) == true && given is byte[] text)
            return Encoding.UTF8.GetString(text);
        var death = headers?.TryGetValue(Deaths, out var deaths) == true
            ? (deaths as IList<object>)?.OfType<IDictionary<string, object?>>().FirstOrDefault()
            : null;
        return death?["reason"] is byte[] reason ? Encoding.UTF8.GetString(reason) switch
        {
            "delivery_limit" => $"{Topology.Tries} workers were lost while running it",
            "expired" => "no worker took it in time",
            var other => other,
        } : "no reason was given";
    }
}
