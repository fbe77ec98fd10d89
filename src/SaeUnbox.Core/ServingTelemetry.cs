using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace SaeUnbox.Core;

/// <summary>
/// Metrics and traces of serving: the meter and the activity source "SaeUnbox.Serving". Times are in seconds. They hold no text that a user
/// wrote, and nothing that identifies a user.
/// </summary>
public static class ServingTelemetry
{
    public const string Name = "SaeUnbox.Serving";

    internal const string Queue = "queue", Stage = "stage", Model = "model", Live = "live", Outcome = "outcome";
    private static readonly InstrumentAdvice<double> Times =
        new() { HistogramBucketBoundaries = [.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60] };
    private static readonly Meter Meter = new(Name);

    internal static readonly ActivitySource Spans = new(Name);
    internal static readonly UpDownCounter<long> Waiting =
        Meter.CreateUpDownCounter<long>("saeunbox.jobs.waiting", "{job}", "Accepted jobs that have not started.");
    internal static readonly UpDownCounter<long> Running =
        Meter.CreateUpDownCounter<long>("saeunbox.jobs.running", "{job}", "Jobs that are running.");
    internal static readonly Counter<long> Ended = Meter.CreateCounter<long>("saeunbox.jobs.ended", "{job}",
        "Jobs that ended, by outcome: completed, failed, superseded, cancelled.");
    private static readonly Counter<long> PrefixLookups = Meter.CreateCounter<long>("saeunbox.prefix_cache.lookups", "{lookup}",
        "Runs that found their unchanged part in the cache (result hit) or not (miss).");
    internal static readonly Histogram<double> JobDuration =
        Meter.CreateHistogram("saeunbox.job.duration", "s", "Time of a completed job from acceptance to result.", tags: null, Times);
    internal static readonly Histogram<double> StageDuration = Meter.CreateHistogram("saeunbox.job.stage.duration", "s",
        "Time of a completed job in each stage: wait, text, unet, decode, encode.", tags: null, Times);

    internal static void CountPrefixLookup(bool isHit) =>
        PrefixLookups.Add(1, new KeyValuePair<string, object?>("result", isHit ? "hit" : "miss"));

    /// <summary>Starts a span that may end on another thread. It does not become the current span.</summary>
    internal static Activity? Begin(string name, ActivityKind kind = ActivityKind.Internal, ActivityContext parent = default)
    {
        var current = Activity.Current;
        var span = Spans.StartActivity(name, kind, parent);
        Activity.Current = current;
        return span;
    }

    /// <summary>Ends a span without changing the current span of this thread.</summary>
    internal static void End(Activity? span)
    {
        var current = Activity.Current;
        span?.Stop();
        if (current != span)
            Activity.Current = current;
    }
}
