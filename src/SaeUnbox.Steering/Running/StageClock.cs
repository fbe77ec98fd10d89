using System.Diagnostics;

namespace SaeUnbox.Steering;

/// <summary>Times the stages of a run, and makes a span of each.</summary>
internal sealed class StageClock
{
    private readonly List<StageTiming> timings = [];

    public IReadOnlyList<StageTiming> Timings => timings;

    public T Time<T>(string stage, Func<T> work)
    {
        using var span = ServingTelemetry.Spans.StartActivity(stage);
        var start = Stopwatch.GetTimestamp();
        var result = work();
        timings.Add(new StageTiming(stage, Stopwatch.GetElapsedTime(start)));
        return result;
    }
}

/// <param name="Stage">Such as wait, text, unet, decode, encode.</param>
/// <param name="Duration">Time spent in it.</param>
public sealed record StageTiming(string Stage, TimeSpan Duration)
{
    /// <summary>The stage before all others: nothing was done yet.</summary>
    public const string Wait = "wait";
}
