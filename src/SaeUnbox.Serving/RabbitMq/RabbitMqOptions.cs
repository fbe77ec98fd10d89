using System.Globalization;
using Microsoft.Extensions.Options;

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

/// <summary>Lists every mistake at once. What the broker's address holds is not repeated: it has a password in it.</summary>
internal sealed class RabbitMqOptionsValidator : IValidateOptions<RabbitMqOptions>
{
    private const int MostWaiting = 1_000_000, LongestName = 60;

    public ValidateOptionsResult Validate(string? name, RabbitMqOptions options)
    {
        var mistakes = Mistakes(options).ToArray();
        return mistakes.Length == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(mistakes);
    }

    private static IEnumerable<string> Mistakes(RabbitMqOptions options)
    {
        const string section = RabbitMqOptions.Section;
        if (options.Uri.Length == 0)
            yield return $"{section}:Uri is missing; write amqp://USER:PASSWORD@HOST:5672/VHOST.";
        else if (!Uri.TryCreate(options.Uri, UriKind.Absolute, out var uri) || uri.Scheme is not ("amqp" or "amqps") || uri.Host.Length == 0)
            yield return $"{section}:Uri is no address of a broker; write amqp://USER:PASSWORD@HOST:5672/VHOST.";
        foreach (var (key, value) in new[] { ("NodeName", options.Node), ("Prefix", options.Prefix) })
            if (value.Length is 0 or > LongestName || !value.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.'))
                yield return $"{section}:{key} is '{value}'; use 1 to {LongestName} letters, digits, '-', '_' and '.'.";
        if (options.QueueLimit is < 1 or > MostWaiting)
            yield return $"{section}:QueueLimit is {options.QueueLimit}; use 1 to {MostWaiting}.";
        if (options.KeepBytes < 0)
            yield return $"{section}:KeepBytes is {options.KeepBytes}; use 0 or more.";
        foreach (var (key, value, least, most) in Times(options))
            if (value < least || value > most)
                yield return string.Create(CultureInfo.InvariantCulture, $"{section}:{key} is {value}; use {least} to {most}.");
    }

    private static IEnumerable<(string Key, TimeSpan Value, TimeSpan Least, TimeSpan Most)> Times(RabbitMqOptions options)
    {
        var (second, day) = (TimeSpan.FromSeconds(1), TimeSpan.FromDays(1));
        yield return ("LiveTimeToLive", options.LiveTimeToLive, second, day);
        yield return ("BatchTimeToLive", options.BatchTimeToLive, second, day);
        yield return ("AffinityWait", options.AffinityWait, TimeSpan.Zero, TimeSpan.FromSeconds(10));
        yield return ("KeepReplies", options.KeepReplies, second, day);
        yield return ("KeepResults", options.KeepResults, TimeSpan.Zero, day);
        yield return ("SubmitTimeout", options.SubmitTimeout, TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(10));
        yield return ("AnnounceEvery", options.AnnounceEvery, TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(1));
        yield return ("Grace", options.Grace, TimeSpan.Zero, day);
    }
}
