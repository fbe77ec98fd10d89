using System.Globalization;
using Microsoft.Extensions.Options;

namespace SaeUnbox.Serving.RabbitMq;

/// <summary>Configuration section "SaeUnbox:RabbitMq". All nodes must use the same queue settings.</summary>
public sealed class RabbitMqOptions
{
    public const string Section = "SaeUnbox:RabbitMq";

    /// <summary>amqp://user:password@host:5672/vhost, or amqps. Never logged.</summary>
    public string Uri { get; set; } = "";

    /// <summary>
    /// Unique name of this node. A node that restarts under its name gets the results it missed. Null: the machine's name.
    /// </summary>
    public string? NodeName { get; set; }

    /// <summary>Prefix of all queue and exchange names.</summary>
    public string Prefix { get; set; } = "saeunbox";

    /// <summary>Most jobs that may wait in each of a model's two queues.</summary>
    public int QueueLimit { get; set; } = 256;

    /// <summary>How long a canvas's job may wait before it fails.</summary>
    public TimeSpan LiveTimeToLive { get; set; } = TimeSpan.FromMinutes(2);

    /// <summary>How long any other job may wait before it fails.</summary>
    public TimeSpan BatchTimeToLive { get; set; } = TimeSpan.FromHours(1);

    /// <summary>How long a job is reserved for the worker that ran its canvas's last job. Zero turns this off.</summary>
    public TimeSpan AffinityWait { get; set; } = TimeSpan.FromMilliseconds(30);

    /// <summary>How long results are kept for a node that is disconnected.</summary>
    public TimeSpan KeepReplies { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>How long the result of a finished job stays available.</summary>
    public TimeSpan KeepResults { get; set; } = TimeSpan.FromMinutes(2);

    /// <summary>Most bytes that the results of finished jobs take together.</summary>
    public long KeepBytes { get; set; } = 256L << 20;

    /// <summary>How long submitting a job waits for an unreachable broker.</summary>
    public TimeSpan SubmitTimeout { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How often workers announce themselves. A worker that is silent for three times as long counts as gone.</summary>
    public TimeSpan AnnounceEvery { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>How long a running job may take at shutdown before it is handed to another worker.</summary>
    public TimeSpan Grace { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>Host and port of <see cref="Uri"/>, without user and password.</summary>
    internal string Address => new Uri(Uri) is { IsDefaultPort: false } uri ? $"{uri.Host}:{uri.Port}" : new Uri(Uri).Host;

    internal string Node => NodeName ?? Environment.MachineName;
}

/// <summary>Reports all mistakes at once. Messages do not quote the URI: it holds a password.</summary>
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
        else if (!Uri.TryCreate(options.Uri, UriKind.Absolute, out var uri)
            || uri.Scheme is not ("amqp" or "amqps")
            || uri.Host.Length == 0)
            yield return $"{section}:Uri is not a broker address; write amqp://USER:PASSWORD@HOST:5672/VHOST.";
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
