using System.Collections.Concurrent;
using Serilog.Core;
using Serilog.Events;

namespace SaeUnbox.Web.Hosting;

/// <summary>
/// Limits the warnings and errors of each kind to some a minute, so that no visitor can fill the disk with them. A kind is a message
/// template, of which the program has a fixed number.
/// </summary>
internal sealed class LogThrottle(TimeProvider clock) : ILogEventFilter
{
    public const int MostPerMinute = 60;
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);
    private readonly ConcurrentDictionary<string, (long Start, int Count)> _kinds = new();

    public bool IsEnabled(LogEvent logEvent)
    {
        if (logEvent.Level < LogEventLevel.Warning)
            return true;
        var now = clock.GetTimestamp();
        var (_, count) = _kinds.AddOrUpdate(logEvent.MessageTemplate.Text, (now, 1),
            (_, kind) => clock.GetElapsedTime(kind.Start, now) >= Minute ? (now, 1) : (kind.Start, kind.Count + 1));
        return count <= MostPerMinute;
    }
}
