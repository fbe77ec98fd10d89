using SaeUnbox.Mini.Evaluation;
using SaeUnbox.Mini.Scenes;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Training;

/// <summary>
/// Directions of a trained dictionary's features that go with scene elements. A training that goes on from a trained model paints them
/// too: a feature may stand for a part of a thing, and the U-Net learns that the part means the whole.
/// </summary>
/// <param name="directions">Of unit length, [features, channels]; owned.</param>
/// <param name="ofElements">Rows of an element's features.</param>
internal sealed class FeatureDirections(Tensor directions, IReadOnlyDictionary<int, int[]> ofElements) : IDisposable
{
    private const int Purpose = 9, Pictures = 240, Batch = 8, MostOfElement = 3;
    private const double LeastCorrelation = .2, Share = .6;

    /// <summary>Of no dictionary.</summary>
    public static FeatureDirections None(long channels) => new(zeros(0, channels).DetachFromDisposeScope(), new Dictionary<int, int[]>());

    public Tensor Directions => directions;

    /// <summary>One for each of <see cref="MiniSites.All"/>.</summary>
    /// <param name="start">The folder of the trained model with its autoencoders.</param>
    public static IReadOnlyList<FeatureDirections> Of(MiniFolder start, MiniTrainingOptions options, Device device)
    {
        using var noGrad = no_grad();
        using var saes = SaeSet.Load(start.Autoencoders, device);
        using var model = new MiniModel(start.Model, device);
        var selectivity = MiniModel.Sites.Select(site => new FeatureSelectivity(saes[site].Config.Features, SceneElement.All.Count, device)).ToArray();
        for (var first = 0; first < Pictures; first += Batch)
        {
            using var scope = NewDisposeScope();
            CaptionedScene[] scenes = [.. Enumerable.Range(first, Batch).Select(i => CaptionedScene.Draw(RandomAt.Place(options.Seed, Purpose, i), options.Scenes))];
            var maps = scenes.Select(scene => SceneElement.MapsOf(SceneLabels.Of(SceneRenderer.Render(scene.Scene, options.PictureSize)))).ToArray();
            using var run = model.Run(scenes);
            foreach (var (i, site) in MiniModel.Sites.Index())
                selectivity[i].Add(saes[site].Encode(run.Difference(site)), maps);
        }
        return [.. MiniModel.Sites.Select((site, i) => Choose(selectivity[i], saes[site]))];
    }

    /// <summary>The row of one of the element's features; null where it has none, and else sometimes.</summary>
    public int? Draw(Random random, int element) =>
        ofElements.GetValueOrDefault(element) is { } rows && random.NextDouble() < Share ? rows[random.Next(rows.Length)] : null;

    public void Dispose() => directions.Dispose();

    // A feature means one element: that with which it goes best.
    private static FeatureDirections Choose(FeatureSelectivity selectivity, SparseAutoencoder sae)
    {
        using var _ = selectivity;
        using var scope = NewDisposeScope();
        var chosen = selectivity.BestLabels().Index().Where(feature => feature.Item.Correlation >= LeastCorrelation).GroupBy(feature => feature.Item.Label)
            .SelectMany(features => features.OrderByDescending(feature => feature.Item.Correlation).Take(MostOfElement)).ToArray();
        if (chosen.Length == 0)
            return None(sae.Config.Width);
        return new(stack(chosen.Select(feature => sae.Direction(feature.Index))).DetachFromDisposeScope(),
            chosen.Index().GroupBy(feature => feature.Item.Item.Label).ToDictionary(features => features.Key, features => features.Select(feature => feature.Index).ToArray()));
    }
}
