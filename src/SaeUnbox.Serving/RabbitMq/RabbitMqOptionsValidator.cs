using System.Globalization;
using Microsoft.Extensions.Options;

namespace SaeUnbox.Serving.RabbitMq;

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
