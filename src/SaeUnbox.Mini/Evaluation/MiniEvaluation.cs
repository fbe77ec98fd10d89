using SaeUnbox.Sae;
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
        var best = pictures.BestFeatures;
        var steering = new SteeringEvaluation(loaded, saes, options);
        var figures = new List<SteeringFigures>();
        var elements = SteeringElement.All.Where(element => options.Elements?.Contains(element.Name) ?? true).ToArray();
        foreach (var (i, element) in elements.Index())
        {
            var features = MiniModel.Sites.Zip(best, (site, features) => (Site: site, features[element.Label].Feature, features[element.Label].Correlation))
                .Where(feature => feature.Correlation >= options.LeastCorrelation).ToArray();
            if (features.Length > 0)
                figures.AddRange(steering.Run(element, features, cancellation));
            progress?.Report(new("steering", i + 1, elements.Length));
        }
        return new(options, pictures.Pictures, pictures.Obedience, pictures.Sites, figures) { Names = FeatureNames.Of(pictures.BestLabels, options.LeastNamed) };
    }
}
