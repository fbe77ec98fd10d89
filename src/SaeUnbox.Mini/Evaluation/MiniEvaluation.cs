using System.Text.Json.Serialization;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Evaluation;

/// <summary>Measures a trained unbox-mini on captions and seeds that it was not trained on. Equal options give equal figures.</summary>
public static class MiniEvaluation
{
    /// <summary>The names of the elements that can be painted and removed.</summary>
    public static IReadOnlyList<string> Elements { get; } = [.. SteeringElement.All.Select(element => element.Name)];

    /// <param name="model">The model folder.</param>
    /// <param name="autoencoders">The folder of its four autoencoders.</param>
    /// <param name="device">cpu, cuda or cuda:N.</param>
    /// <exception cref="ArgumentException">An element of the options does not exist.</exception>
    /// <exception cref="SaeException">A site has no autoencoder.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static MiniEvaluationReport Run(string model, string autoencoders, MiniEvaluationOptions options,
        IProgress<MiniEvaluationProgress>? progress = null, string device = "cpu", CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Pictures, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Scenes, 1);
        if (options.Elements?.FirstOrDefault(name => !Elements.Contains(name)) is { } unknown)
            throw new ArgumentException($"There is no element '{unknown}'", nameof(options));
        var place = OnDevice.Open(device);
        using var noGrad = no_grad();
        using var loaded = new MiniModel(model, place, options.Dtype);
        using var saes = SaeSet.Load(autoencoders, place);
        using var pictures = new PictureEvaluation(loaded, saes, options);
        pictures.Run(done => progress?.Report(new("pictures", done, options.Pictures)), cancellation);
        var total = SharpnessEvaluation.PicturesOf(options.Prompts);
        var sharpness = SharpnessEvaluation.Run(loaded, options, done => progress?.Report(new("sharpness", done, total)), cancellation);
        var steered = Steer(model, saes, options, pictures.BestFeatures, loaded.Device, progress, cancellation);
        return new(options, pictures.Pictures, pictures.Obedience, pictures.Sites, steered) { Sharpness = sharpness };
    }

    private static IReadOnlyList<PaintingFigures> Steer(string folder, SaeSet saes, MiniEvaluationOptions options,
        IReadOnlyList<IReadOnlyList<LabelFeature>> best, Device device, IProgress<MiniEvaluationProgress>? progress,
        CancellationToken cancellation)
    {
        var elements = SteeringElement.All.Where(element => options.Elements?.Contains(element.Name) ?? true).ToArray();
        var figures = SteeringEvaluation.OfEach(folder, saes, elements, options, device, (steering, element) =>
        {
            (Site, LabelFeature)[] features = [.. MiniModel.Sites.Zip(best, (site, labels) => (site, labels[element.Label]))
                .Where(one => one.Item2.Correlation >= options.LeastCorrelation)];
            return features.Length > 0 ? steering.Run(element, features, cancellation) : [];
        }, done => progress?.Report(new("steering", done, elements.Length)), cancellation);
        return [.. figures.SelectMany(one => one)];
    }
}

/// <summary>What is evaluated.</summary>
public sealed record MiniEvaluationOptions
{
    public int Seed { get; init; } = 1;

    /// <summary>Number format of the model.</summary>
    public Dtype Dtype { get; init; } = Dtype.Fp32;

    /// <summary>Captions and seeds to evaluate, none of which were trained on.</summary>
    public int Pictures { get; init; } = 500;

    /// <summary>
    /// Prompts of strangers, at most 200, whose pictures are measured for sharpness, with one and a half times as many captions; 0
    /// measures none.
    /// </summary>
    public int Prompts { get; init; } = 200;

    /// <summary>Scenes in which each element is painted, and from which it is removed.</summary>
    public int Scenes { get; init; } = 100;

    /// <summary>Elements to paint and remove, such as "snow"; null for all.</summary>
    public IReadOnlyList<string>? Elements { get; init; }

    /// <summary>Strength of painting, in units of the feature's mean.</summary>
    public double Strength { get; init; } = 8;

    /// <summary>The least correlation with a label for a feature to be painted.</summary>
    public double LeastCorrelation { get; init; } = .4;

    /// <summary>Scenes in which each way to put an element in or take it out is tried, to choose one.</summary>
    public int Trials { get; init; } = 10;

    /// <summary>Steps of gradient descent that fit the weights of a concept's features; 0 fits none.</summary>
    public int FittingSteps { get; init; } = 90;

    /// <summary>Scenes on which they are fitted.</summary>
    public int FittingScenes { get; init; } = 100;

    /// <summary>Scenes in which the chosen ways are measured.</summary>
    public int ConceptScenes { get; init; } = 40;

    /// <summary>Scenes to name features on, and as many others to check their names.</summary>
    public int NamingScenes { get; init; } = 1000;

    /// <summary>Scenes in which each strength of a feature is tried, to choose one; 0 measures names alone.</summary>
    public int FeatureTrials { get; init; } = 6;

    /// <summary>Scenes in which the chosen one is measured, and in which the feature is taken out.</summary>
    public int FeatureScenes { get; init; } = 10;
}

/// <summary>The figures of unbox-mini.</summary>
/// <param name="Pictures">How close its pictures are to the truth.</param>
/// <param name="Obedience">How well pictures follow their captions, for each attribute: time, ground, far, style, thing, color.</param>
/// <param name="Sites">The autoencoder of each site.</param>
/// <param name="Steering">Each element at each site that has a feature for it.</param>
public sealed record MiniEvaluationReport(MiniEvaluationOptions Options, PictureFigures Pictures, IReadOnlyList<ObedienceFigures> Obedience,
    IReadOnlyList<SiteFigures> Sites, IReadOnlyList<PaintingFigures> Steering)
{
    /// <summary>Whether pictures show one scene or a mean of several, for captions ("own") and for prompts of strangers.</summary>
    public IReadOnlyList<SharpnessFigures> Sharpness { get; init; } = [];

    /// <summary>How well each element goes in and out as a concept; empty if that was not measured.</summary>
    public IReadOnlyList<ConceptFigures> Concepts { get; init; } = [];

    /// <summary>How well each feature knows itself; null if that was not measured.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public FeatureFigures? Features { get; init; }
}

/// <summary>How close pictures are to the truth.</summary>
/// <param name="LatentError">Mean squared error of the latents, which have unit variance.</param>
/// <param name="Psnr">Peak signal-to-noise ratio against the rendered truth in decibels, mean over pictures.</param>
/// <param name="AutoencoderPsnr">The same for the truth, encoded and decoded; an upper limit.</param>
public sealed record PictureFigures(double LatentError, double Psnr, double AutoencoderPsnr);

/// <summary>How well pictures follow their captions in one attribute.</summary>
/// <param name="Asked">Number of questions to the probe.</param>
/// <param name="Obeyed">Share of questions in which it finds in the model's picture what caption and noise ask for.</param>
/// <param name="ProbeOnTruth">Share in which it finds this in the true rendering, encoded and decoded.</param>
/// <param name="ProbeOnOthers">Share in which it finds a random other answer in a rendering of that answer.</param>
/// <param name="Named">Number of questions about something that the caption names; the others are about defaults.</param>
/// <param name="NamedObeyed"><paramref name="Obeyed"/> for these; null without any.</param>
public sealed record ObedienceFigures(string Attribute, int Asked, double Obeyed, double ProbeOnTruth, double ProbeOnOthers, int Named,
    double? NamedObeyed);

/// <summary>How many pictures show one possible scene, and not a mean of several.</summary>
/// <param name="Captions">"own" for captions of the model's kind, or "strangers".</param>
/// <param name="Sharp">Share of pictures in which each of the 16 places shows one thing, or nothing, with a weight of .9 or more.</param>
/// <param name="SharpTruth">The same for drawings of scenes, encoded and decoded; an upper limit.</param>
/// <param name="Places">Share of the places that do.</param>
/// <param name="PlacesOfTruth">The same for drawings of scenes.</param>
public sealed record SharpnessFigures(string Captions, int Pictures, double Sharp, double SharpTruth, double Places, double PlacesOfTruth);

/// <summary>The quality of the autoencoder of a site.</summary>
public sealed record SiteFigures(string Site, double ExplainedVariance, double ExplainedVariancePerChannel, double DeadShare);

/// <summary>The effect of painting and removing an element with a feature.</summary>
/// <param name="Correlation">Correlation of the feature with the element's label.</param>
/// <param name="Painted">Share of scenes in which the element appears where it was painted.</param>
/// <param name="Before">Share of scenes in which the probe mistakenly finds it before painting.</param>
/// <param name="PaintedOutside">Mean change of pixels outside the stroke / mean change inside.</param>
/// <param name="Present">Scenes in which the element could be removed.</param>
/// <param name="Removed">Share of these in which it is gone; null without any.</param>
/// <param name="RemovedOutside"><paramref name="PaintedOutside"/> for removal.</param>
public sealed record PaintingFigures(string Element, string Site, int Feature, double Correlation, double Painted, double Before,
    double PaintedOutside,
    int Present, double? Removed, double RemovedOutside)
{
    internal static PaintingFigures Of(string element, Site site, LabelFeature feature, SteeringTally painted, SteeringTally removed)
    {
        var (all, gone) = (painted.Figures, removed.Figures);
        return new(element, site.Code, feature.Feature, feature.Correlation, painted.Found ?? 0,
            all.Pictures > 0
                ? 1 - (double)all.Possible / all.Pictures
                : 0, all.Leakage ?? 0, gone.Possible, gone.Success, gone.Leakage ?? 0);
    }
}

/// <summary>The progress of an evaluation.</summary>
public readonly record struct MiniEvaluationProgress(string Stage, int Done, int Total);
