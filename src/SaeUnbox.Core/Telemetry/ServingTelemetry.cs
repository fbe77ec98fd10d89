using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace SaeUnbox.Core;

/// <summary>
/// What is measured of serving: the instruments of the meter, and the spans of the source, "SaeUnbox.Serving". Times are in seconds. Nothing
/// that a visitor wrote, and nothing that tells who he is, is among them.
/// </summary>
public static class ServingTelemetry
{
    public const string Name = "SaeUnbox.Serving";

    internal const string Queue = "queue", Stage = "stage", Model = "model", Live = "live", Outcome = "outcome";
    private static readonly InstrumentAdvice<double> Times = new() { HistogramBucketBoundaries = [.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60] };
    private static readonly Meter Meter = new(Name);

    internal static readonly ActivitySource Spans = new(Name);
    internal static readonly UpDownCounter<long> Waiting = Meter.CreateUpDownCounter<long>("saeunbox.jobs.waiting", "{job}", "Jobs that were accepted and have not begun.");
    internal static readonly UpDownCounter<long> Running = Meter.CreateUpDownCounter<long>("saeunbox.jobs.running", "{job}", "Jobs that have begun and not ended.");
    internal static readonly Counter<long> Ended = Meter.CreateCounter<long>("saeunbox.jobs.ended", "{job}", "Jobs that ended, by outcome: completed, failed, superseded, cancelled.");
    private static readonly Counter<long> Prefixes = Meter.CreateCounter<long>("saeunbox.prefix_cache.lookups", "{lookup}", "Runs that found the unchanged part of theirs (result hit), or did not (miss).");
    internal static readonly Histogram<double> JobDuration = Meter.CreateHistogram("saeunbox.job.duration", "s", "From a completed job's acceptance to its result.", tags: null, Times);
    internal static readonly Histogram<double> StageDuration = Meter.CreateHistogram("saeunbox.job.stage.duration", "s", "Time of a completed job in a stage: wait, text, unet, decode, encode.", tags: null, Times);

    internal static void LookedUpPrefix(bool isHit) => Prefixes.Add(1, new KeyValuePair<string, object?>("result", isHit ? "hit" : "miss"));

    /// <summary>A span that may end on another thread: it does not become the current one of this.</summary>
    internal static Activity? Begin(string name, ActivityKind kind = ActivityKind.Internal, ActivityContext parent = default)
    {
        var current = Activity.Current;
        var span = Spans.StartActivity(name, kind, parent);
        Activity.Current = current;
        return span;
    }

    /// <summary>Ends a span; the current one of this thread stays what it is.</summary>
    internal static void End(Activity? span)
    {
        var current = Activity.Current;
        span?.Stop();
        if (current != span)
            Activity.Current = current;
    }
}
