using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace SaeUnbox.Serving.RabbitMq;

/// <summary>
/// The exchanges and queues, and how they are made. Whoever needs one makes it; making it again as it is does nothing.
/// docs/scaling.md has the picture.
/// </summary>
internal sealed class Topology(RabbitMqOptions options)
{
    /// <summary>Tries before a job is set aside.</summary>
    public const int Tries = 3;

    // A newer broker drops what was given back 20 times, where nothing else is said; looking at the dead gives them back.
    private const int Unlimited = 1_000_000_000;

    private const int MostDead = 10_000, MostPrivate = 64;
    private static readonly TimeSpan KeepDead = TimeSpan.FromDays(7), KeepPrivate = TimeSpan.FromMinutes(10), KeepDeadNotices = TimeSpan.FromHours(1);

    /// <summary>Tells workers of superseded and cancelled jobs.</summary>
    public string Control => $"{options.Prefix}.control";

    /// <summary>Tells web nodes which workers are there.</summary>
    public string Announcements => $"{options.Prefix}.workers";

    /// <summary>Where jobs go that nobody could do; also the queue that keeps them.</summary>
    public string Dead => $"{options.Prefix}.dead";

    /// <summary>Copies of the dead, from which those who asked are told.</summary>
    public string DeadNotices => $"{options.Prefix}.dead.notices";

    public string Live(string model) => $"{options.Prefix}.live.{model}";

    public string Batch(string model) => $"{options.Prefix}.batch.{model}";

    public string Private(string worker, string model) => $"{options.Prefix}.private.{worker}.{model}";

    public string Replies(string node) => $"{options.Prefix}.replies.{node}";

    /// <summary>Makes sure that no other node of this kind has the name: of two web nodes each would get every other answer of both.</summary>
    public async Task ClaimNameAsync(IChannel channel, string kind, string node, CancellationToken cancellation)
    {
        try
        {
            // Of one connection alone, and gone with it.
            await channel.QueueDeclareAsync($"{options.Prefix}.name.{kind}.{node}", durable: false, exclusive: true, autoDelete: true, cancellationToken: cancellation);
        }
        catch (OperationInterruptedException exception) when (exception.ShutdownReason?.ReplyCode == Constants.ResourceLocked)
        {
            throw new TopologyException($"another {kind} node is called '{node}'; give each a NodeName of its own", exception);
        }
    }

    /// <summary>What all have in common.</summary>
    public async Task DeclareSharedAsync(IChannel channel, CancellationToken cancellation)
    {
        await channel.ExchangeDeclareAsync(Control, ExchangeType.Fanout, durable: true, autoDelete: false, cancellationToken: cancellation);
        await channel.ExchangeDeclareAsync(Announcements, ExchangeType.Fanout, durable: true, autoDelete: false, cancellationToken: cancellation);
        await channel.ExchangeDeclareAsync(Dead, ExchangeType.Fanout, durable: true, autoDelete: false, cancellationToken: cancellation);
        await DeclareAsync(channel, Dead, new() { ["x-message-ttl"] = Milliseconds(KeepDead), ["x-max-length"] = MostDead, ["x-delivery-limit"] = Unlimited }, cancellation);
        await DeclareAsync(channel, DeadNotices, new() { ["x-message-ttl"] = Milliseconds(KeepDeadNotices), ["x-max-length"] = MostDead, ["x-delivery-limit"] = Unlimited }, cancellation);
        await channel.QueueBindAsync(Dead, Dead, "", cancellationToken: cancellation);
        await channel.QueueBindAsync(DeadNotices, Dead, "", cancellationToken: cancellation);
    }

    /// <summary>A model's two queues.</summary>
    public async Task DeclareModelAsync(IChannel channel, string model, CancellationToken cancellation)
    {
        foreach (var (queue, timeToLive) in new[] { (Live(model), options.LiveTimeToLive), (Batch(model), options.BatchTimeToLive) })
            await DeclareAsync(channel, queue, new()
            {
                ["x-delivery-limit"] = Tries - 1, // the tries after the first
                ["x-message-ttl"] = Milliseconds(timeToLive),
                ["x-max-length"] = options.QueueLimit,
                ["x-overflow"] = "reject-publish",
                ["x-dead-letter-exchange"] = Dead,
                ["x-dead-letter-strategy"] = "at-least-once",
            }, cancellation);
    }

    /// <summary>The queue of one worker for one model; what it cannot take soon goes on to the queue for all. Made again it is kept for longer.</summary>
    /// <returns>Jobs that wait in it.</returns>
    public async Task<uint> DeclarePrivateAsync(IChannel channel, string worker, string model, CancellationToken cancellation) =>
        (await DeclareAsync(channel, Private(worker, model), new()
        {
            ["x-message-ttl"] = Milliseconds(options.AffinityWait),
            ["x-max-length"] = MostPrivate,
            ["x-overflow"] = "reject-publish",
            ["x-dead-letter-exchange"] = "",
            ["x-dead-letter-routing-key"] = Live(model),
            ["x-dead-letter-strategy"] = "at-least-once",
            ["x-expires"] = Milliseconds(KeepPrivate),
        }, cancellation)).MessageCount;

    /// <summary>The queue in which a web node's answers come, kept for a while when it is away.</summary>
    public Task DeclareRepliesAsync(IChannel channel, string node, CancellationToken cancellation) =>
        DeclareAsync(channel, Replies(node), new() { ["x-expires"] = Milliseconds(options.KeepReplies), ["x-delivery-limit"] = Unlimited }, cancellation);

    /// <summary>A queue that lives as long as its connection, for what an exchange tells all.</summary>
    public async Task<string> DeclareEarAsync(IChannel channel, string exchange, CancellationToken cancellation)
    {
        var queue = await channel.QueueDeclareAsync("", durable: false, exclusive: true, autoDelete: true,
            new Dictionary<string, object?> { ["x-message-ttl"] = Milliseconds(options.LiveTimeToLive) }, cancellationToken: cancellation);
        await channel.QueueBindAsync(queue.QueueName, exchange, "", cancellationToken: cancellation);
        return queue.QueueName;
    }

    private static async Task<QueueDeclareOk> DeclareAsync(IChannel channel, string queue, Dictionary<string, object?> arguments, CancellationToken cancellation)
    {
        arguments["x-queue-type"] = "quorum";
        try
        {
            return await channel.QueueDeclareAsync(queue, durable: true, exclusive: false, autoDelete: false, arguments, cancellationToken: cancellation);
        }
        catch (OperationInterruptedException exception) when (exception.ShutdownReason?.ReplyCode == Constants.PreconditionFailed)
        {
            throw new TopologyException($"the queue '{queue}' was made with other settings; give all nodes the same ones, and delete it where they are to change", exception);
        }
    }

    private static long Milliseconds(TimeSpan time) => (long)time.TotalMilliseconds;
}

/// <summary>The broker holds something of another form than this program needs.</summary>
internal sealed class TopologyException(string message, Exception inner) : Exception(message, inner);
