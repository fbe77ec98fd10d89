using System.Globalization;
using SaeUnbox.Mini.Scenes;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Evaluation;

/// <summary>
/// Pearson's correlation between features and labels over grid cells. Moments are merged in float64 (Chan, Golub and LeVeque, The American
/// Statistician 37, 1983), so that a large mean costs no precision.
/// </summary>
internal sealed class FeatureSelectivity : IDisposable
{
    private readonly Tensor _features, _featureSquares, _labels, _products;
    private long _cells;

    public FeatureSelectivity(int features, int labels, Device device)
    {
        (_features, _featureSquares, _labels) = (Zeros(features), Zeros(features), Zeros(labels));
        _products = Zeros(features, labels);

        Tensor Zeros(params long[] shape) => zeros(shape, ScalarType.Float64, device).DetachFromDisposeScope();
    }

    /// <param name="codes">Codes of [B, 16, 16, d].</param>
    /// <param name="labels">For each picture [labels, 16, 16] of 0 or 1, such as <see cref="SceneLabels.Of(ScenePicture)"/>.</param>
    public void Add(SparseCodes codes, IReadOnlyList<byte[]> labels)
    {
        using var scope = NewDisposeScope();
        var z = codes.ToDense().reshape(-1, codes.Features).to_type(ScalarType.Float64);
        var count = _labels.shape[0];
        var l = stack(labels.Select(one => tensor(one, device: _labels.device).to_type(ScalarType.Float64).reshape(count, -1).t())).reshape(
            -1, count);
        var (features, shares) = (z.mean([0L]), l.mean([0L]));
        var (steps, shareSteps) = (features - _features, shares - _labels);
        var (centred, total) = (z - features, _cells + z.shape[0]);
        var weight = (double)_cells * z.shape[0] / total;
        _featureSquares.Accumulate(centred.Square().sum([0L])).AccumulateProduct(steps, steps, weight);
        _products.Accumulate(centred.t().mm(l - shares)).Accumulate(steps.outer(shareSteps), weight);
        _features.Accumulate(steps, (double)z.shape[0] / total);
        _labels.Accumulate(shareSteps, (double)z.shape[0] / total);
        _cells = total;
    }

    /// <summary>For each label, the feature with the highest correlation.</summary>
    public IReadOnlyList<(int Feature, double Correlation)> Best() => Largest(Correlations().t().contiguous());

    /// <summary>For each feature, the label with the highest correlation.</summary>
    public IReadOnlyList<(int Label, double Correlation)> BestLabels() => Largest(Correlations());

    private static (int, double)[] Largest(Tensor rows)
    {
        using var scope = NewDisposeScope();
        var (best, which) = rows.topk(1, 1);
        return [.. which.cpu().data<long>()
            .ToArray().Zip(best.cpu().data<double>().ToArray(), (index, correlation) => ((int)index, correlation))];
    }

    // [features, labels]
    private Tensor Correlations()
    {
        using var scope = NewDisposeScope();
        var covariances = _products.Over(_cells);
        var spread = (_featureSquares.Over(_cells).unsqueeze(1) * (_labels - _labels.Square())).AtLeast(1e-24).sqrt();
        return (covariances / spread).MoveToOuterDisposeScope();
    }

    public void Dispose()
    {
        foreach (var sums in (Tensor[])[_features, _featureSquares, _labels, _products])
            sums.Dispose();
    }
}

/// <summary>Names features after the labels that they correlate with.</summary>
internal static class FeatureNames
{
    /// <param name="labels">For each site and feature, the label with the highest correlation.</param>
    /// <param name="least">The least correlation that gives a name.</param>
    /// <returns>Names by site and by number of the feature.</returns>
    public static IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>> Of(
        IReadOnlyList<IReadOnlyList<(int Label, double Correlation)>> labels, double least) =>
        MiniModel.Sites.Zip(labels).ToDictionary(site => site.First.Code, site => (IReadOnlyDictionary<string, string>)site.Second.Index()
            .Where(feature => feature.Item.Correlation >= least)
            .ToDictionary(feature => feature.Index.ToString(CultureInfo.InvariantCulture), feature =>
                Plain(SceneLabels.Names[feature.Item.Label])));

    // "color:red" becomes "something red"; other labels lose their group.
    private static string Plain(string label) => label.Split(':') is ["color", var color] ? $"something {color}" : label.Split(':')[1];
}
