namespace SaeUnbox.Serving.RabbitMq;

/// <summary>The broker between web nodes and workers: the section "SaeUnbox:RabbitMq" of the configuration. All nodes must agree on what queues are made of.</summary>
public sealed class RabbitMqOptions
{
    public const string Section = "SaeUnbox:RabbitMq";

    /// <summary>Where the broker is: amqp://user:password@host:5672/vhost, or amqps. It is never logged.</summary>
    public string Uri { get; set; } = "";

    /// <summary>Names this node among all; a node that comes back under its name gets the results it missed. Null: the machine's name.</summary>
    public string? NodeName { get; set; }

    /// <summary>With what the names of all queues and exchanges begin.</summary>
    public string Prefix { get; set; } = "saeunbox";

    /// <summary>Jobs of a model that may wait in each of its two queues.</summary>
    public int QueueLimit { get; set; } = 256;

    /// <summary>How long a job of a canvas may wait before it is given up.</summary>
    public TimeSpan LiveTimeToLive { get; set; } = TimeSpan.FromMinutes(2);

    /// <summary>How long any other job may wait before it is given up.</summary>
    public TimeSpan BatchTimeToLive { get; set; } = TimeSpan.FromHours(1);

    /// <summary>How long a job may wait for the worker that did its canvas's last one before any other may take it; zero for not at all.</summary>
    public TimeSpan AffinityWait { get; set; } = TimeSpan.FromMilliseconds(30);

    /// <summary>How long results are kept for a node that is away.</summary>
    public TimeSpan KeepReplies { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>How long a finished job can still be asked for.</summary>
    public TimeSpan KeepResults { get; set; } = TimeSpan.FromMinutes(2);

    /// <summary>Most bytes that finished jobs hold together.</summary>
    public long KeepBytes { get; set; } = 256L << 20;

    /// <summary>How long a job to be handed over waits for a broker that is away.</summary>
    public TimeSpan SubmitTimeout { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How often workers tell that they are there; one that was silent for three times as long is not.</summary>
    public TimeSpan AnnounceEvery { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>How long the job that runs may take when the process is told to stop; after that another worker does it.</summary>
    public TimeSpan Grace { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>Host and port of <see cref="Uri"/>, without what is secret.</summary>
    internal string Place => new Uri(Uri) is { IsDefaultPort: false } uri ? $"{uri.Host}:{uri.Port}" : new Uri(Uri).Host;

    internal string Node => NodeName ?? Environment.MachineName;
}
