using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using RabbitMQ.Client.Exceptions;

namespace SaeUnbox.Serving.RabbitMq;

/// <summary>What whoever keeps the site running sees and does: workers, queues, jobs that were set aside.</summary>
public sealed class BrokerAdmin : IAsyncDisposable
{
    private readonly IConnection _connection;
    private readonly IChannel _channel;
    private readonly Topology _topology;

    private BrokerAdmin(IConnection connection, IChannel channel, Topology topology) => (_connection, _channel, _topology) = (connection, channel, topology);

    /// <exception cref="IOException">The broker cannot be reached, or does not let one in.</exception>
    public static async Task<BrokerAdmin> ConnectAsync(RabbitMqOptions options, CancellationToken cancellation = default)
    {
        if (new RabbitMqOptionsValidator().Validate(null, options) is { Failed: true } wrong)
            throw new IOException(string.Join(' ', wrong.Failures));
        try
        {
            var connection = await new ConnectionFactory { Uri = new Uri(options.Uri) }.CreateConnectionAsync("admin", cancellation).ConfigureAwait(false);
            var channel = await connection.CreateChannelAsync(new CreateChannelOptions(true, true), cancellation).ConfigureAwait(false);
            var topology = new Topology(options);
            await topology.DeclareSharedAsync(channel, cancellation).ConfigureAwait(false);
            return new(connection, channel, topology);
        }
        catch (Exception exception) when (BrokerConnection.IsLoss(exception))
        {
            throw new IOException($"The broker at {options.Place} cannot be used: {BrokerConnection.Innermost(exception)}", exception);
        }
    }

    /// <summary>The workers that answer within a time.</summary>
    public async Task<IReadOnlyList<WorkerInfo>> WorkersAsync(TimeSpan patience, CancellationToken cancellation = default)
    {
        var directory = new WorkerDirectory(TimeSpan.FromHours(1), TimeProvider.System);
        await using var channel = await _connection.CreateChannelAsync(cancellationToken: cancellation).ConfigureAwait(false);
        var ear = await _topology.DeclareEarAsync(channel, _topology.Announcements, cancellation).ConfigureAwait(false);
        var consumer = new AsyncEventingBasicConsumer(channel);
        consumer.ReceivedAsync += (_, message) =>
        {
            directory.Take(Wire.Read<Announcement>(message.Body.Span));
            return Task.CompletedTask;
        };
        await channel.BasicConsumeAsync(ear, autoAck: true, consumer, cancellation).ConfigureAwait(false);
        await channel.TellAsync(_topology.Control, "", Wire.Write(new ControlMessage { WhoIsThere = true }), cancellation).ConfigureAwait(false);
        await Task.Delay(patience, cancellation).ConfigureAwait(false);
        return directory.Workers;
    }

    /// <summary>How many messages wait in the queues of these models, and in that of the dead; of a model that no worker ever had there are none.</summary>
    public async Task<IReadOnlyList<QueueDepth>> QueuesAsync(IEnumerable<string> models, CancellationToken cancellation = default)
    {
        var depths = new List<QueueDepth>();
        foreach (var queue in models.SelectMany(model => new[] { _topology.Live(model), _topology.Batch(model) }).Append(_topology.Dead))
            if (await CountAsync(queue, cancellation).ConfigureAwait(false) is { } count)
                depths.Add(new(queue, count));
        return depths;
    }

    // Asked on a channel of its own, which ends where there is no such queue.
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

    /// <summary>The jobs that were set aside, the oldest first; they stay.</summary>
    public async Task<IReadOnlyList<DeadJob>> DeadAsync(int most = 1000, CancellationToken cancellation = default)
    {
        var dead = new List<DeadJob>();
        // What a channel took and did not acknowledge goes back when it is closed.
        await using var channel = await _connection.CreateChannelAsync(cancellationToken: cancellation).ConfigureAwait(false);
        while (dead.Count < most && await channel.BasicGetAsync(_topology.Dead, autoAck: false, cancellation).ConfigureAwait(false) is { } message)
            dead.Add(DeadLetter.Of(message.Body, message.BasicProperties).ToDeadJob());
        return dead;
    }

    /// <summary>Hands jobs that were set aside to their queues again, with all their tries.</summary>
    /// <param name="jobs">Which; null for all. What is no job stays.</param>
    /// <param name="cancellation">Stops between two.</param>
    /// <returns>How many were.</returns>
    /// <exception cref="IOException">A queue does not take one; it stays among the dead.</exception>
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
                throw new IOException(exception.IsReturn ? $"There is no queue '{queue}'; start a worker with the model first." : $"The queue '{queue}' is full.", exception);
            }
            await channel.BasicAckAsync(message.DeliveryTag, multiple: false, cancellation).ConfigureAwait(false);
            count++;
        }
        return count;
    }

    /// <summary>Deletes everything under the prefix that belongs to these models and to one node, with what it holds; nodes and workers must be gone.</summary>
    public async Task DeleteAsync(IEnumerable<string> models, string node, CancellationToken cancellation = default)
    {
        var queues = models.SelectMany(model => new[] { _topology.Live(model), _topology.Batch(model), _topology.Private($"{node}.0", model) })
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

/// <param name="Queue">Its name.</param>
/// <param name="Messages">Messages that wait.</param>
public sealed record QueueDepth(string Queue, int Messages);

/// <summary>A job that was set aside.</summary>
/// <param name="Job">Its id; null where the message is no job.</param>
/// <param name="Model">Its model.</param>
/// <param name="Reason">Why, in a few words.</param>
public sealed record DeadJob(Guid? Job, string? Model, string Reason);
