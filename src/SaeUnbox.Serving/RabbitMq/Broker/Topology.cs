using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace SaeUnbox.Serving.RabbitMq;

/// <summary>Names and declares the exchanges and queues. Declaring one again is harmless. docs/scaling.md shows how they connect.</summary>
internal sealed class Topology(RabbitMqOptions options)
{
    /// <summary>How often a job is tried before it is dead-lettered.</summary>
    public const int Tries = 3;

    // RabbitMQ 4 drops messages after 20 redeliveries by default, and listing the dead letters redelivers them.
    private const int Unlimited = 1_000_000_000;

    private const int MaxDead = 10_000, MaxPerAffinityQueue = 64;
    private static readonly TimeSpan KeepDead =
        TimeSpan.FromDays(7), KeepAffinityQueue = TimeSpan.FromMinutes(10), KeepDeadNotices = TimeSpan.FromHours(1);

    /// <summary>Exchange that tells all workers of superseded and cancelled jobs.</summary>
    public string Control => $"{options.Prefix}.control";

    /// <summary>Exchange that tells all web nodes which workers are running.</summary>
    public string Announcements => $"{options.Prefix}.workers";

    /// <summary>Dead-letter exchange, and the queue bound to it.</summary>
    public string Dead => $"{options.Prefix}.dead";

    /// <summary>Queue with copies of the dead letters, from which web nodes report the failures.</summary>
    public string DeadNotices => $"{options.Prefix}.dead.notices";

    public string Live(string model) => $"{options.Prefix}.live.{model}";

    public string Batch(string model) => $"{options.Prefix}.batch.{model}";

    /// <summary>Jobs reserved for the worker that ran their canvas's last job.</summary>
    public string Affinity(string worker, string model) => $"{options.Prefix}.private.{worker}.{model}";

    public string Replies(string node) => $"{options.Prefix}.replies.{node}";

    /// <summary>Claims the node's name. Two web nodes with one name would take each other's replies.</summary>
    /// <exception cref="TopologyException">Another node of this kind has the name.</exception>
    public async Task ClaimNameAsync(IChannel channel, string kind, string node, CancellationToken cancellation)
    {
        try
        {
            // Exclusive to this connection, and deleted with it.
            await channel.QueueDeclareAsync($"{options.Prefix}.name.{kind}.{node}", durable: false, exclusive: true, autoDelete: true,
                cancellationToken: cancellation);
        }
        catch (OperationInterruptedException exception) when (exception.ShutdownReason?.ReplyCode == Constants.ResourceLocked)
        {
            throw new TopologyException($"another {kind} node is already named '{node}'; give each node its own NodeName", exception);
        }
    }

    /// <summary>Declares what all nodes share.</summary>
    public async Task DeclareSharedAsync(IChannel channel, CancellationToken cancellation)
    {
        await channel.ExchangeDeclareAsync(Control, ExchangeType.Fanout, durable: true, autoDelete: false, cancellationToken: cancellation);
        await channel.ExchangeDeclareAsync(Announcements, ExchangeType.Fanout, durable: true, autoDelete: false,
            cancellationToken: cancellation);
        await channel.ExchangeDeclareAsync(Dead, ExchangeType.Fanout, durable: true, autoDelete: false, cancellationToken: cancellation);
        await DeclareAsync(channel, Dead,
            new()
            {
                ["x-message-ttl"] = Milliseconds(KeepDead),
                ["x-max-length"] = MaxDead,
                ["x-delivery-limit"] = Unlimited
            }, cancellation);
        await DeclareAsync(channel, DeadNotices,
            new()
            {
                ["x-message-ttl"] = Milliseconds(KeepDeadNotices),
                ["x-max-length"] = MaxDead,
                ["x-delivery-limit"] = Unlimited
            }, cancellation);
        await channel.QueueBindAsync(Dead, Dead, "", cancellationToken: cancellation);
        await channel.QueueBindAsync(DeadNotices, Dead, "", cancellationToken: cancellation);
    }

    /// <summary>Declares a model's live and batch queues.</summary>
    public async Task DeclareModelAsync(IChannel channel, string model, CancellationToken cancellation)
    {
        foreach (var (queue, timeToLive) in new[] { (Live(model), options.LiveTimeToLive), (Batch(model), options.BatchTimeToLive) })
            await DeclareAsync(channel, queue, new()
            {
                ["x-delivery-limit"] = Tries - 1, // counts redeliveries only
                ["x-message-ttl"] = Milliseconds(timeToLive),
                ["x-max-length"] = options.QueueLimit,
                ["x-overflow"] = "reject-publish",
                ["x-dead-letter-exchange"] = Dead,
                ["x-dead-letter-strategy"] = "at-least-once",
            }, cancellation);
    }

    /// <summary>
    /// Declares a worker's affinity queue. Jobs that the worker does not take in time move to the live queue. Declaring the queue again
    /// extends its life.
    /// </summary>
    /// <returns>How many jobs wait in it.</returns>
    public async Task<uint> DeclareAffinityAsync(IChannel channel, string worker, string model, CancellationToken cancellation) =>
        (await DeclareAsync(channel, Affinity(worker, model), new()
        {
            ["x-message-ttl"] = Milliseconds(options.AffinityWait),
            ["x-max-length"] = MaxPerAffinityQueue,
            ["x-overflow"] = "reject-publish",
            ["x-dead-letter-exchange"] = "",
            ["x-dead-letter-routing-key"] = Live(model),
            ["x-dead-letter-strategy"] = "at-least-once",
            ["x-expires"] = Milliseconds(KeepAffinityQueue),
        }, cancellation)).MessageCount;

    /// <summary>Declares a web node's reply queue. It is kept for a while when the node is disconnected.</summary>
    public Task DeclareRepliesAsync(IChannel channel, string node, CancellationToken cancellation) =>
        DeclareAsync(channel, Replies(node),
            new() { ["x-expires"] = Milliseconds(options.KeepReplies), ["x-delivery-limit"] = Unlimited }, cancellation);

    /// <summary>Binds a temporary queue to a fanout exchange. The queue is deleted with its connection.</summary>
    /// <returns>The queue's name.</returns>
    public async Task<string> SubscribeAsync(IChannel channel, string exchange, CancellationToken cancellation)
    {
        var queue = await channel.QueueDeclareAsync("", durable: false, exclusive: true, autoDelete: true,
            new Dictionary<string, object?> { ["x-message-ttl"] = Milliseconds(options.LiveTimeToLive) }, cancellationToken: cancellation);
        await channel.QueueBindAsync(queue.QueueName, exchange, "", cancellationToken: cancellation);
        return queue.QueueName;
    }

    private static async Task<QueueDeclareOk> DeclareAsync(IChannel channel, string queue, Dictionary<string, object?> arguments,
        CancellationToken cancellation)
    {
        arguments["x-queue-type"] = "quorum";
        try
        {
            return await channel.QueueDeclareAsync(queue, durable: true, exclusive: false, autoDelete: false, arguments,
                cancellationToken: cancellation);
        }
        catch (OperationInterruptedException exception) when (exception.ShutdownReason?.ReplyCode == Constants.PreconditionFailed)
        {
            throw new TopologyException(
                $"the queue '{queue}' exists with other settings; use the same settings on all nodes, and delete the queue to change them",
                exception);
        }
    }

    private static long Milliseconds(TimeSpan time) => (long)time.TotalMilliseconds;
}

/// <summary>The broker's queues or node names conflict with this node's settings.</summary>
internal sealed class TopologyException(string message, Exception inner) : Exception(message, inner);
