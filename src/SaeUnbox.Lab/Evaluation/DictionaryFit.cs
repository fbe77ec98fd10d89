using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>How well the dictionaries of a model fit what their sites do, and what their reconstructions make of the pictures.</summary>
internal static class DictionaryFit
{
    /// <summary>The figures of each site over all captions: of each step, and with several steps of all together.</summary>
    /// <param name="settings">Gives steps, guidance and size.</param>
    /// <param name="progress">Receives the number of captions done.</param>
    public static IReadOnlyList<FitRow> Measure(LoadedModel model, Recipe settings, IReadOnlyList<Site> sites,
        IReadOnlyList<Caption> captions, Action<int> progress, CancellationToken cancellation)
    {
        var steps = settings.Steps;
        // The last of each site is of all steps.
        var statistics = sites.ToDictionary(site => site,
            site => Enumerable.Range(0, steps == 1 ? 1 : steps + 1).Select(_ => new ActivationStatistics(model.Saes[site])).ToArray());
        try
        {
            using var runner = new RecipeRunner(model, prefixes: 1);
            foreach (var (done, caption) in captions.Index())
            {
                Add(statistics, model, runner, With(settings, caption), cancellation);
                progress(done + 1);
            }
            return [.. sites.SelectMany(site => statistics[site].Select((one, i) => Row(model, site, i < steps ? i : null, one.Report())))];
        }
        finally
        {
            foreach (var one in statistics.Values.SelectMany(all => all))
                one.Dispose();
        }
    }

    /// <summary>What is left of one picture with each site reconstructed alone, and with all of them.</summary>
    public static IReadOnlyList<ReconstructionRow> Reconstruct(LoadedModel model, Recipe settings, IReadOnlyList<Site> sites,
        Caption caption, ClipModel? clip, CancellationToken cancellation)
    {
        using var runner = new RecipeRunner(model, prefixes: 1);
        var recipe = With(settings, caption);
        var plain = runner.Run(recipe, cancellation: cancellation).Picture!;
        var (text, seen) = clip is null ? (null, null) : (clip.EmbedText(caption.Text), Embed(clip, plain));
        return
        [
            .. sites.Select(site => (Name: site.Code, Sites: (IReadOnlyList<Site>)[site]))
                .Append((Name: ReconstructionRow.All, Sites: sites))
                .Select(one =>
                {
                    var interventions = one.Sites.Select(site => (SiteIntervention)new SiteIntervention.Reconstruct(site));
                    var made = runner.Run(recipe with { Interventions = [.. interventions] }, cancellation: cancellation).Picture!;
                    var again = clip is null ? null : Embed(clip, made);
                    return new ReconstructionRow(one.Name, Psnr(plain, made), Cosine(text, again), Cosine(text, seen),
                        Cosine(seen, again));
                }),
        ];
    }

    /// <summary>See <see cref="Picture.Psnr"/>; null if the pictures are equal.</summary>
    public static double? Psnr(Picture first, Picture second) =>
        first.Psnr(second) is var decibels && double.IsFinite(decibels) ? decibels : null;

    /// <summary>Means over pictures of the rows of each.</summary>
    public static IReadOnlyList<ReconstructionRow> Mean(IEnumerable<ReconstructionRow> rows) =>
    [
        .. rows.GroupBy(row => row.Sites).Select(group => new ReconstructionRow(group.Key, group.Average(row => row.Psnr),
            group.Average(row => row.ClipText), group.Average(row => row.ClipTextPlain), group.Average(row => row.ClipPicture))),
    ];

    private static void Add(Dictionary<Site, ActivationStatistics[]> statistics, LoadedModel model, RecipeRunner runner, Recipe recipe,
        CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        using var recorder = new RunRecorder([.. statistics.Keys]);
        runner.Run(recipe, new RunRequest { Recorder = recorder, Picture = false, KeepPrefix = false }, cancellation);
        foreach (var (site, all) in statistics)
        {
            // [steps, B, d, h, w]; under guidance the conditional picture is the last of the batch.
            var (input, output) = (recorder[$"{site}.input"], recorder[$"{site}.output"]);
            var vectors = model.Saes[site].VectorsOf(input.select(1, input.shape[1] - 1), output.select(1, output.shape[1] - 1));
            for (var step = 0; step < recipe.Steps; step++)
            {
                using var inner = NewDisposeScope();
                var one = vectors[step].contiguous();
                all[step].Add(one);
                if (all.Length > recipe.Steps)
                    all[^1].Add(one);
            }
        }
    }

    private static FitRow Row(LoadedModel model, Site site, int? step, StatisticsReport report) => new(site.Code, step, report.Positions,
        report.ExplainedVariancePooled, report.ExplainedVariancePerChannel, report.UnexplainedVariance, report.ActivePerPosition,
        (double)report.Dead / model.Saes[site].Features);

    private static Recipe With(Recipe settings, Caption caption) => settings with { Prompt = caption.Text, Seed = caption.Seed };

    private static float[] Embed(ClipModel clip, Picture picture)
    {
        using var scope = NewDisposeScope();
        return clip.EmbedPicture(picture.Pixels, picture.Width, picture.Height).contiguous().data<float>().ToArray();
    }

    // Embeddings have length 1.
    private static double? Cosine(float[]? first, float[]? second) =>
        first is null || second is null ? null : first.Zip(second, (a, b) => (double)a * b).Sum();
}
