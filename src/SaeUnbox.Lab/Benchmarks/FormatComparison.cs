namespace SaeUnbox.Lab;

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
