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
