using System.Diagnostics;

namespace SaeUnbox.Mini.Training;

/// <summary>Runs a stage's steps from where its state stands: reports, saves, and saves once more where it is cancelled.</summary>
internal sealed class StageRun(string stage, int steps, int checkpointEvery, int imagesPerStep, IMiniTrainingProgress progress)
{
    private const int ReportEvery = 10;

    /// <param name="done">Steps done before.</param>
    /// <param name="step">Does one step and gives its figures; NaN leaves a figure out.</param>
    /// <param name="save">Saves the state after so many steps; gives its path, that of a sheet, and figures of what was saved.</param>
    public void Run(int done, Func<int, IEnumerable<(string Name, double Value)>> step,
        Func<int, (string Path, string? Sheet, IReadOnlyList<(string Name, double Value)> Figures)> save, CancellationToken cancellation)
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
            Note(step(next));
            var perStep = clock.Elapsed / (next + 1 - since);
            (string Path, string? Sheet, IReadOnlyList<(string, double)> Figures)? saved = null;
            if ((next + 1) % checkpointEvery == 0 || next + 1 == steps)
            {
                clock.Stop();
                saved = save(next + 1);
                clock.Start();
                Note(saved.Value.Figures);
            }
            if ((next + 1) % ReportEvery == 0 || next + 1 == steps)
            {
                progress.Report(new(stage, next + 1, steps, figures.ToDictionary(figure => figure.Key, figure => figure.Value.Sum / figure.Value.Count),
                    imagesPerStep / perStep.TotalSeconds, perStep * (steps - next - 1)));
                figures.Clear();
                since = next + 1;
                clock.Restart();
            }
            if (saved is { } there)
                progress.Saved(stage, next + 1, there.Path, there.Sheet);
        }

        void Note(IEnumerable<(string Name, double Value)> noted)
        {
            foreach (var (name, value) in noted.Where(figure => !double.IsNaN(figure.Value)))
            {
                var (sum, count) = figures.GetValueOrDefault(name);
                figures[name] = (sum + value, count + 1);
            }
        }
    }
}
