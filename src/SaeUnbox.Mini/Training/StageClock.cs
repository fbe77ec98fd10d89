using System.Diagnostics;

namespace SaeUnbox.Mini.Training;

/// <summary>Reports of a stage that makes its own steps, with its speed since the last.</summary>
internal sealed class StageClock(string stage, int steps, IMiniTrainingProgress progress, int done)
{
    private readonly Stopwatch _clock = Stopwatch.StartNew();

    /// <param name="step">Steps done.</param>
    /// <param name="imagesPerStep">Pictures, or a picture's worth of vectors, in a step.</param>
    public void Report(int step, double imagesPerStep, IReadOnlyDictionary<string, double> figures)
    {
        var perStep = _clock.Elapsed / Math.Max(1, step - done);
        progress.Report(new(stage, step, steps, figures, imagesPerStep / perStep.TotalSeconds, perStep * (steps - step)));
        done = step;
        _clock.Restart();
    }
}
