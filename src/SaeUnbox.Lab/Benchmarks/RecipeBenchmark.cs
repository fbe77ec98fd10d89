using System.Diagnostics;

namespace SaeUnbox.Lab;

/// <summary>
/// Times what a user waits for: a new picture (text encoders, U-Net, decoder), and a picture after a painted feature changed, which
/// resumes at the feature's site.
/// </summary>
public sealed class RecipeBenchmark(LoadedModel model, int repeats)
{
    /// <summary>The prompt of the timed pictures.</summary>
    public const string Prompt = "a red house and a pine tree on snow at sunset, mountains behind";

    private const int WarmUp = 3;
    private const double BrushShare = .25;

    /// <summary>Measures one after the other: the whole run, then an edit at each site.</summary>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public IEnumerable<Latency> Run(CancellationToken cancellation = default)
    {
        using var runner = new RecipeRunner(model);
        var recipe = model.Info.NewRecipe(Prompt);
        // Prompt and seed differ from run to run, so the cache never helps.
        yield return Time("whole run", number => recipe with { Seed = number, Prompt = $"{recipe.Prompt}, {number}" });
        foreach (var sae in model.Info.Sites)
            yield return Time($"edit at {sae.Site}", number => recipe with { Edits = [Stroke(sae, number)] });

        Latency Time(string what, Func<int, Recipe> make)
        {
            var times = new List<double>();
            for (var number = -WarmUp; number < repeats; number++)
            {
                var wanted = make(number + WarmUp);
                var start = Stopwatch.GetTimestamp();
                runner.Run(wanted, cancellation: cancellation);
                if (number >= 0)
                    times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            }
            times.Sort();
            return new(what, times[times.Count / 2], times[Math.Min(times.Count - 1, (int)(times.Count * .95))]);
        }
    }

    // A box that moves from run to run like a brush.
    private FeatureEdit Stroke(SaeInfo sae, int number)
    {
        var (rows, columns) = sae.Grid(model.Info.Width, model.Info.Height);
        var side = Math.Max(1, (int)(BrushShare * columns));
        var left = number % (columns - side + 1);
        var cells = new float[rows * columns];
        for (var row = 0; row < Math.Min(side, rows); row++)
            cells.AsSpan((row * columns) + left, side).Fill(1);
        return new(sae.Site, number % sae.Features, 5)
        {
            Mode = model.Saes[sae.Site].Scale is null ? EditMode.Scale : EditMode.Add,
            Mask = BrushMask.FromCells(rows, columns, cells),
        };
    }
}

/// <summary>How long a user waits.</summary>
/// <param name="What">What was run.</param>
/// <param name="Median">Milliseconds.</param>
/// <param name="P95">95th percentile in milliseconds.</param>
public sealed record Latency(string What, double Median, double P95);
