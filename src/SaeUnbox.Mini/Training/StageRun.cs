using System.Diagnostics;

namespace SaeUnbox.Mini.Training;

/// <summary>Runs a stage's steps from where its state stands: reports, saves, and saves once more where it is cancelled.</summary>
internal sealed class StageRun(string stage, int steps, int checkpointEvery, int imagesPerStep, IMiniTrainingProgress progress)
{
    private const int ReportEvery = 10;

    /// <param name="done">Steps done before.</param>
    /// <param name="step">Does one step and gives its figures; NaN leaves a figure out.</param>
    /// <param name="save">Saves the state after so many steps; gives its path and that of a sheet.</param>
    public void Run(int done, Func<int, IEnumerable<(string Name, double Value)>> step, Func<int, (string Path, string? Sheet)> save, CancellationToken cancellation)
    {
        var figures = new Dictionary<string, (double Sum, int Count)>();
        var (clock, since) = (Stopwatch.StartNew(), done);
        for (var next = done; next < steps; next++)
        {
            if (cancellation.IsCancellationRequested)
            {
                if (next > done)
                    save(next);
                cancellation.ThrowIfCancellationRequested();
            }
            foreach (var (name, value) in step(next).Where(figure => !double.IsNaN(figure.Value)))
            {
                var (sum, count) = figures.GetValueOrDefault(name);
                figures[name] = (sum + value, count + 1);
            }
            if ((next + 1) % ReportEvery == 0 || next + 1 == steps)
            {
                var perStep = clock.Elapsed / (next + 1 - since);
                progress.Report(new(stage, next + 1, steps, figures.ToDictionary(figure => figure.Key, figure => figure.Value.Sum / figure.Value.Count),
                    imagesPerStep / perStep.TotalSeconds, perStep * (steps - next - 1)));
                figures.Clear();
                since = next + 1;
                clock.Restart();
            }
            if ((next + 1) % checkpointEvery == 0 || next + 1 == steps)
            {
                var (path, sheet) = save(next + 1);
                progress.Saved(stage, next + 1, path, sheet);
                clock.Restart();
            }
        }
    }
}
