using System.Diagnostics;
using System.Text;
using RabbitMQ.Client;

namespace SaeUnbox.Serving.RabbitMq;

/// <summary>The span that a message belongs to, in its headers, as W3C's Trace Context writes it.</summary>
internal static class TraceHeader
{
    private const string Name = "traceparent";

    /// <summary>Headers with it; null where there is none.</summary>
    public static Dictionary<string, object?>? Of(string? traceParent) => traceParent is null ? null : new() { [Name] = traceParent };

    public static string? Read(IReadOnlyBasicProperties properties) =>
        properties.Headers?.TryGetValue(Name, out var value) == true && value is byte[] text ? Encoding.UTF8.GetString(text) : null;

    /// <summary>The span to continue; none where it cannot be read.</summary>
    public static ActivityContext Parse(string? traceParent) => ActivityContext.TryParse(traceParent, null, isRemote: true, out var context) ? context : default;
}
