using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using SaeUnbox.Cli.Output;

namespace SaeUnbox.Cli.Bench;

/// <summary>
/// Times what a person waits for: a new picture (text, U-Net, decoder), and a picture whose painted feature changed, which starts again at
/// the feature's site.
/// </summary>
internal sealed class RecipeBenchmark(LoadedModel model, int repeats)
{
    private const int WarmUp = 3;
    private const double Share = .25;

    public IEnumerable<Latency> Run(CancellationToken cancellation)
    {
        using var runner = new RecipeRunner(model);
        var recipe = model.Info.NewRecipe("a red house and a pine tree on snow at sunset, mountains behind");
        // Each with a text and a seed of its own: nothing is found in the cache.
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
                if (number >= 0) times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            }
            times.Sort();
            return new(what, times[times.Count / 2], times[Math.Min(times.Count - 1, (int)(times.Count * .95))]);
        }
    }

    // A box that moves, as a brush does.
    private FeatureEdit Stroke(SaeInfo sae, int number)
    {
        var (rows, columns) = sae.Grid(model.Info.Width, model.Info.Height);
        var side = Math.Max(1, (int)(Share * columns));
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

/// <param name="Median">Milliseconds.</param>
/// <param name="P95">Milliseconds.</param>
internal sealed record Latency(string What, double Median, double P95);

/// <summary>The latencies of whole runs and edits: a table that grows row by row, or one JSON document at the end.</summary>
internal static class RunsReport
{
    /// <param name="model">The model's name.</param>
    /// <param name="repeats">Runs of each row.</param>
    public static void Write(Terminal terminal, string model, int repeats, IEnumerable<Latency> rows, bool asJson)
    {
        var told = new JsonArray();
        if (!asJson) terminal.Output.WriteLine($"{"milliseconds",-24}{"p50",10}{"p95",10}");
        foreach (var row in rows)
        {
            told.Add(new JsonObject { ["what"] = row.What, ["p50"] = row.Median, ["p95"] = row.P95 });
            if (!asJson) terminal.Output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{row.What,-24}{row.Median,10:0.0}{row.P95,10:0.0}"));
        }
        if (asJson) terminal.Output.WriteLine(Json.Text(new JsonObject { ["model"] = model, ["runs"] = repeats, ["milliseconds"] = told }));
    }
}
