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

/// <summary>
/// Runs the same pictures in several number formats, one after the other, and compares each with the first: how long a user waits, and what
/// the format does to pictures and features.
/// </summary>
/// <param name="load">Loads the model in a format. The comparison disposes it.</param>
/// <param name="captions">The pictures.</param>
/// <param name="repeats">Timed runs of each kind.</param>
public sealed class FormatComparison(Func<Dtype, LoadedModel> load, IReadOnlyList<Caption> captions, int repeats)
{
    private const int Top = 10;

    private readonly List<Picture> _pictures = [];
    private readonly List<ActivationMaps> _maps = [];

    /// <summary>Measures a format. The first call sets what later ones are compared with.</summary>
    /// <param name="progress">Receives the number of pictures done.</param>
    public FormatFigures Measure(Dtype format, Action<int>? progress = null, CancellationToken cancellation = default)
    {
        var isFirst = _pictures.Count == 0;
        var memory = new PeakMemory();
        using var model = load(format);
        var (decibels, sites) = (new List<double>(), model.Saes.Keys.ToDictionary(site => site, _ => new SiteTally()));
        using (var runner = new RecipeRunner(model, prefixes: 1))
            foreach (var (i, caption) in captions.Index())
            {
                var recipe = model.Info.NewRecipe(caption.Text) with { Seed = caption.Seed };
                var outcome = runner.Run(recipe, new RunRequest { Read = [.. sites.Keys] }, cancellation);
                if (isFirst)
                {
                    _pictures.Add(outcome.Picture!);
                    _maps.Add(outcome.Maps);
                }
                decibels.Add(outcome.Picture!.Psnr(_pictures[i]));
                foreach (var (site, tally) in sites)
                    tally.Add(outcome.Maps.Find(site)!, _maps[i].Find(site)!);
                progress?.Invoke(i + 1);
            }
        var latencies = new RecipeBenchmark(model, repeats).Run(cancellation).ToArray();
        return new(format, latencies[0], latencies.Length > 1 ? latencies[^1] : null, memory.Growth,
            decibels.Average(), decibels.Min(),
            [.. sites.Select(site => new FormatSite(site.Key, site.Value.Explained.Average(), site.Value.Same.Average()))]);
    }

    private sealed class SiteTally
    {
        public List<double> Explained { get; } = [];

        public List<double> Same { get; } = [];

        public void Add(SiteActivations map, SiteActivations first)
        {
            Explained.Add(map.ExplainedVariance ?? 0);
            var wanted = first.Top(Top).Select(one => one.Feature).ToHashSet();
            Same.Add(wanted.Count == 0 ? 1 : (double)map.Top(Top).Count(one => wanted.Contains(one.Feature)) / wanted.Count);
        }
    }
}

/// <param name="WholeRun">A new picture.</param>
/// <param name="Edit">A picture after an edit at the last site; null if there is no site with an autoencoder.</param>
/// <param name="PeakBytes">Growth of the process while the model was loaded and ran; null if the system does not report it.</param>
/// <param name="Psnr">Of the pictures against those of the first format, in decibels: the mean. Infinite for the first.</param>
/// <param name="WorstPsnr">That of the picture that differs most.</param>
public sealed record FormatFigures(Dtype Format, Latency WholeRun, Latency? Edit, long? PeakBytes, double Psnr, double WorstPsnr,
    IReadOnlyList<FormatSite> Sites);

/// <param name="Explained">Explained variance of the site's autoencoder, mean over the pictures.</param>
/// <param name="SameTop">The share of the ten most active features that are also among the ten of the first format.</param>
public sealed record FormatSite(Site Site, double Explained, double SameTop);
