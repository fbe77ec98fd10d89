using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Evaluation;

/// <summary>Measures a trained unbox-mini on captions and seeds it never saw. Equal options give equal figures.</summary>
public static class MiniEvaluation
{
    /// <summary>The names of what can be painted and taken out.</summary>
    public static IReadOnlyList<string> Elements { get; } = [.. SteeringElement.All.Select(element => element.Name)];

    /// <param name="model">The model folder.</param>
    /// <param name="autoencoders">The folder of its four autoencoders.</param>
    /// <param name="device">Where it is computed; null: the CPU.</param>
    /// <exception cref="ArgumentException">An element of the options does not exist.</exception>
    /// <exception cref="SaeException">A site has no autoencoder.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static MiniEvaluationReport Run(string model, string autoencoders, MiniEvaluationOptions options,
        IProgress<MiniEvaluationProgress>? progress = null, Device? device = null, CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Pictures, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Scenes, 1);
        if (options.Elements?.FirstOrDefault(name => !Elements.Contains(name)) is { } unknown)
            throw new ArgumentException($"there is no element '{unknown}'", nameof(options));
        using var noGrad = no_grad();
        using var loaded = new MiniModel(model, device);
        using var saes = SaeSet.Load(autoencoders, device);
        using var pictures = new PictureEvaluation(loaded, saes, options);
        pictures.Run(done => progress?.Report(new("pictures", done, options.Pictures)), cancellation);
        var figures = Steer(model, saes, options, pictures.BestFeatures, loaded.Device, progress, cancellation);
        return new(options, pictures.Pictures, pictures.Obedience, pictures.Sites, figures) { Names = FeatureNames.Of(pictures.BestLabels, options.LeastNamed) };
    }

    // Element by element, side by side: of so small a model one thread a run makes more of the cores than all threads on one.
    private static SteeringFigures[] Steer(string folder, SaeSet saes, MiniEvaluationOptions options, IReadOnlyList<IReadOnlyList<(int Feature, double Correlation)>> best,
        Device device, IProgress<MiniEvaluationProgress>? progress, CancellationToken cancellation)
    {
        var elements = SteeringElement.All.Where(element => options.Elements?.Contains(element.Name) ?? true).ToArray();
        var figures = new IReadOnlyList<SteeringFigures>[elements.Length];
        var workers = Math.Min(elements.Length, device.type == DeviceType.CPU ? Environment.ProcessorCount : 1);
        var (next, done) = (-1, 0);
        Parallel.For(0, workers, new ParallelOptions { MaxDegreeOfParallelism = workers, CancellationToken = cancellation }, _ =>
        {
            var threads = Threads.Count;
            if (workers > 1)
                Threads.Use(1);
            using var noGrad = no_grad();
            using var model = new MiniModel(folder, device);
            var steering = new SteeringEvaluation(model, saes, options);
            for (var i = Interlocked.Increment(ref next); i < elements.Length; i = Interlocked.Increment(ref next))
            {
                var features = MiniModel.Sites.Zip(best, (site, features) => (Site: site, features[elements[i].Label].Feature, features[elements[i].Label].Correlation))
                    .Where(feature => feature.Correlation >= options.LeastCorrelation).ToArray();
                figures[i] = features.Length > 0 ? steering.Run(elements[i], features, cancellation) : [];
                progress?.Report(new("steering", Interlocked.Increment(ref done), elements.Length));
            }
            Threads.Use(threads);
        });
        return [.. figures.SelectMany(one => one)];
    }
}

/// <summary>How much is evaluated, and how.</summary>
public sealed record MiniEvaluationOptions
{
    public int Seed { get; init; } = 1;

    /// <summary>Held-out captions and seeds.</summary>
    public int Pictures { get; init; } = 500;

    /// <summary>Unrelated scenes for each painted element, and scenes it is taken out of.</summary>
    public int Scenes { get; init; } = 100;

    /// <summary>Elements that are painted and taken out, such as "snow"; null for all.</summary>
    public IReadOnlyList<string>? Elements { get; init; }

    /// <summary>Of painting, in means of the feature.</summary>
    public double Strength { get; init; } = 8;

    /// <summary>The least correlation with a label at which a feature counts as selective.</summary>
    public double LeastCorrelation { get; init; } = .4;

    /// <summary>The least correlation with a label at which a feature has its name.</summary>
    public double LeastNamed { get; init; } = .25;
}

/// <summary>What unbox-mini can do, in figures.</summary>
/// <param name="Pictures">How near its pictures are to the truth.</param>
/// <param name="Obedience">By kind of attribute: time, ground, far, style, thing, color.</param>
/// <param name="Sites">The autoencoder of each site.</param>
/// <param name="Steering">Every element at every site where a feature is selective for it.</param>
public sealed record MiniEvaluationReport(MiniEvaluationOptions Options, PictureFigures Pictures, IReadOnlyList<ObedienceFigures> Obedience,
    IReadOnlyList<SiteFigures> Sites, IReadOnlyList<SteeringFigures> Steering)
{
    /// <summary>Names of features after the labels they go with: by site, by feature's number. The atlas command takes them.</summary>
    public IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>> Names { get; init; } = new Dictionary<string, IReadOnlyDictionary<string, string>>();
}

/// <param name="LatentError">Mean square error of latents of unit variance.</param>
/// <param name="Psnr">Mean over pictures of the peak signal to noise against the rendered truth, in decibels.</param>
/// <param name="AutoencoderPsnr">The same of truth through the autoencoder: the best there could be.</param>
public sealed record PictureFigures(double LatentError, double Psnr, double AutoencoderPsnr);

/// <param name="Asked">How often the probe was asked.</param>
/// <param name="Obeyed">Share in which it finds in the model's picture what caption and noise call for.</param>
/// <param name="ProbeOnTruth">Share in which it finds it in the true rendering, seen through the autoencoder.</param>
/// <param name="ProbeOnOthers">Share in which it finds another answer, drawn at random, in the rendering of that.</param>
/// <param name="Named">How often of these the caption named it; else it has its default.</param>
/// <param name="NamedObeyed">As <paramref name="Obeyed"/>, of those; null where there are none.</param>
public sealed record ObedienceFigures(string Attribute, int Asked, double Obeyed, double ProbeOnTruth, double ProbeOnOthers, int Named, double? NamedObeyed);

public sealed record SiteFigures(string Site, double ExplainedVariance, double ExplainedVariancePerChannel, double DeadShare);

/// <param name="Correlation">Of the feature's map with the element's label.</param>
/// <param name="Painted">Share in which the element appears where it was painted.</param>
/// <param name="Before">The same before painting: what the probe takes for it by mistake.</param>
/// <param name="PaintedOutside">Mean change of pixels outside the stroke, over that inside.</param>
/// <param name="Present">Scenes in which the element was there to take out.</param>
/// <param name="Removed">Share of those in which it is gone; null where there were none.</param>
/// <param name="RemovedOutside">As <paramref name="PaintedOutside"/>, of taking out.</param>
public sealed record SteeringFigures(string Element, string Site, int Feature, double Correlation, double Painted, double Before, double PaintedOutside,
    int Present, double? Removed, double RemovedOutside);

/// <summary>How far an evaluation is.</summary>
public readonly record struct MiniEvaluationProgress(string Stage, int Done, int Total);
