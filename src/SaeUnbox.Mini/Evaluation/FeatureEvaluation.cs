using SaeUnbox.Mini.Training;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Evaluation;

/// <summary>
/// Measures every feature of unbox-mini: what it detects, the strength that paints this best, and whether the feature takes it out.
/// </summary>
public static class FeatureEvaluation
{
    private const int TryPaint = 32, Paint = 33, Remove = 34;

    private static readonly double[] Strengths = [3, 6, 10];

    /// <param name="model">The model folder.</param>
    /// <param name="autoencoders">The folder of its four autoencoders.</param>
    /// <param name="parts">A folder for what is done, from which a stopped run goes on. Made if there is none.</param>
    /// <param name="device">cpu, cuda or cuda:N.</param>
    /// <returns>The features of all sites, in order. Equal options give equal ones.</returns>
    /// <exception cref="SaeException">A site has no autoencoder, or the folder holds the parts of another run.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static IReadOnlyList<MeasuredFeature> Run(string model, string autoencoders, MiniEvaluationOptions options, string parts,
        IProgress<MiniEvaluationProgress>? progress = null, string device = "cpu", CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.NamingScenes, 1);
        var place = OnDevice.Open(device);
        using var noGrad = no_grad();
        using var saes = SaeSet.Load(autoencoders, place);
        var folder = EvaluationFolder.Open(parts, new FeatureQuestion(
            FingerprintOf(model, autoencoders), options.Seed, Names.Of(options.Dtype),
            options.NamingScenes, options.FeatureTrials, options.FeatureScenes));
        var named = folder.Part("names", () =>
        {
            using var loaded = new MiniModel(model, place, options.Dtype);
            return new FeatureNaming(loaded, saes, options)
                .Run(done => progress?.Report(new("naming features", done, 2 * options.NamingScenes)), cancellation);
        });
        var elements = options.FeatureTrials > 0 ? SteeringElement.All : [];
        var effects = SteeringEvaluation.OfEach(model, saes, elements, options, place,
            (steering, element) => folder.Part(element.Name, () => Effects(steering, element,
                [.. named.Where(one => one.Element == element.Name)], options, cancellation)),
            done => progress?.Report(new("painting features", done, elements.Count)), cancellation)
            .SelectMany(part => part).ToDictionary(one => (one.Site, one.Feature), one => one.Effect);
        return
        [
            .. named.Select(one => new MeasuredFeature(one.Site, one.Feature, one.Name, effects.GetValueOrDefault((one.Site, one.Feature)))
            {
                Detection = one.Detection,
                Checked = one.Checked,
            }),
        ];
    }

    private static IReadOnlyList<FeatureOutcome> Effects(SteeringEvaluation steering, SteeringElement element, NamedFeature[] features,
        MiniEvaluationOptions options, CancellationToken cancellation)
    {
        FeatureEdit[] edits = [.. features.Select(one => new FeatureEdit(one.Site, one.Feature, 0))];
        var tried = steering.Run(SteeringTask.Paint, element,
            [.. edits.SelectMany(edit => Strengths.Select(strength => edit with { Strength = strength }))],
            new(TryPaint, options.FeatureTrials, IsNear: true), cancellation);
        var best = tried.Chunk(Strengths.Length).Select(ways => ConceptTrials.Best(ways, outcome => outcome.Distance));
        FeatureEdit[] chosen = [.. edits.Zip(best, (edit, way) => way is { } index ? edit with { Strength = Strengths[index] } : null)
            .OfType<FeatureEdit>()];
        var painted = chosen.Zip(steering.Run(SteeringTask.Paint, element, chosen, new(Paint, options.FeatureScenes, IsNear: true),
            cancellation))
            .ToDictionary(one => (one.First.Site, one.First.Feature), one => (one.First.Strength, one.Second.Tally.Figures.Success));
        var removed = steering.Run(SteeringTask.Remove, element,
            [.. edits.Select(edit => edit with { Mode = EditMode.Scale, Strength = SteeringEvaluation.Removal })],
            new(Remove, options.FeatureScenes, IsNear: true), cancellation);
        return
        [
            .. features.Zip(removed, (one, gone) =>
            {
                var (strength, success) = painted.GetValueOrDefault((one.Site, one.Feature));
                return new FeatureOutcome(one.Site, one.Feature, new(element.Name, success > 0 ? strength : null,
                    Math.Round(success ?? 0, 2), gone.Tally.Figures.Success is { } share ? Math.Round(share, 2) : null));
            }),
        ];
    }

    /// <summary>Of the files that steering depends on.</summary>
    internal static string FingerprintOf(string model, string autoencoders) =>
        FileFingerprint.Compute([.. Files(Path.Combine(model, "unet")), .. Files(autoencoders)]);

    private static IEnumerable<(string Name, string Path)> Files(string folder) =>
        Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Select(path => (Path.GetRelativePath(folder, path), path));

    private sealed record FeatureQuestion(
        string Files, int Seed, string Dtype, int NamingScenes, int FeatureTrials, int FeatureScenes);

    private sealed record FeatureOutcome(Site Site, int Feature, FeatureEffect Effect);
}

/// <summary>How well the features of a model know themselves.</summary>
/// <param name="All">Features of all sites.</param>
/// <param name="Named">Those with a name.</param>
/// <param name="Wrong">
/// How many names are wrong: in scenes that were not used for naming they do not fit (<see cref="FeatureDetection.Fits"/>), or the feature
/// is never active.
/// </param>
/// <param name="Sample">Named features in a sample.</param>
/// <param name="WrongInSample">How many of these have a wrong name.</param>
/// <param name="Painting">Features that are named after what a brush can paint, and were painted.</param>
/// <param name="Painted">How many of these paint what they are named after in three quarters of the scenes or more.</param>
/// <param name="Removed">How many take it out in three quarters or more.</param>
public sealed record FeatureFigures(int All, int Named, int Wrong, int Sample, int WrongInSample, int Painting, int Painted, int Removed)
{
    private const int SampleSize = 200, Purpose = 35;
    private const double Often = .75;

    public static FeatureFigures Of(IReadOnlyList<MeasuredFeature> features, MiniEvaluationOptions options)
    {
        var named = features.Where(one => one.Name is not null).ToArray();
        var sample = named.ToArray();
        RandomAt.Place(options.Seed, Purpose).Shuffle(sample);
        sample = sample[..Math.Min(SampleSize, sample.Length)];
        var painted = features.Select(one => one.Effect).OfType<FeatureEffect>().ToArray();
        return new(features.Count, named.Length, named.Count(IsWrong),
            sample.Length, sample.Count(IsWrong), painted.Length, painted.Count(effect => effect.Painted >= Often),
            painted.Count(effect => effect.Removed >= Often));
    }

    private static bool IsWrong(MeasuredFeature feature) => feature.Checked is not { Fits: true };
}
