using System.Diagnostics;
using SaeUnbox.Contracts;

namespace SaeUnbox.Inference;

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
