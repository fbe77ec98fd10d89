using System.Text;
using RabbitMQ.Client.Events;
using RabbitMQ.Client.Exceptions;
using RabbitMQ.Client;

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

/// <summary>A job that nobody could do.</summary>
/// <param name="Body">Its message.</param>
/// <param name="Reason">Why, in a few words.</param>
internal sealed record DeadLetter(byte[] Body, string Reason)
{
    public const string ReasonHeader = "x-reason", WorkerHeader = "x-worker";

    // Why the broker itself let it die, the latest first.
    private const string Deaths = "x-death";

    public static DeadLetter Of(ReadOnlyMemory<byte> body, IReadOnlyBasicProperties properties) => new(body.ToArray(), ReasonOf(properties.Headers));

    /// <summary>The report for those who asked; null where the message does not tell who that is.</summary>
    public (string ReplyTo, Reply Reply)? ToReply() =>
        TryReadJob() is { } job ? (job.ReplyTo, new Reply(new GenerationProgress.Failed(job.Job, $"The picture could not be made: {Reason}."), "")) : null;

    public DeadJob ToDeadJob() => TryReadJob() is { } job ? new(job.Job, job.Recipe.Model, Reason) : new(null, null, Reason);

    /// <summary>The job; null where the message is none.</summary>
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
        var death = headers?.TryGetValue(Deaths, out var deaths) == true ? (deaths as IList<object>)?.OfType<IDictionary<string, object?>>().FirstOrDefault() : null;
        return death?["reason"] is byte[] reason ? Encoding.UTF8.GetString(reason) switch
        {
            "delivery_limit" => $"{Topology.Tries} workers were lost while they did it",
            "expired" => "no worker took it in time",
            var other => other,
        } : "no reason was given";
    }
}
