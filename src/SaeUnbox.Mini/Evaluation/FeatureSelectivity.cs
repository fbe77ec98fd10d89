using SaeUnbox.Mini.Scenes;
using SaeUnbox.Sae;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Evaluation;

/// <summary>How the features' maps go with maps of labels, or of what else holds in some cells: Pearson's correlation over cells.</summary>
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

    /// <param name="codes">Of [B, 16, 16, d].</param>
    /// <param name="labels">Of each picture [labels, 16, 16], 0 or 1, as <see cref="SceneLabels.Of(ScenePicture)"/> gives them.</param>
    public void Add(SparseCodes codes, IReadOnlyList<byte[]> labels)
    {
        using var scope = NewDisposeScope();
        var z = codes.ToDense().reshape(-1, codes.Features);
        var count = _labels.shape[0];
        var l = stack(labels.Select(one => tensor(one, device: _labels.device).to_type(ScalarType.Float32).reshape(count, -1).t())).reshape(-1, count);
        _cells += z.shape[0];
        _features.add_(z.sum([0L]).to_type(ScalarType.Float64));
        _featureSquares.add_(z.square().sum([0L]).to_type(ScalarType.Float64));
        _labels.add_(l.sum([0L]).to_type(ScalarType.Float64));
        _products.add_(z.t().matmul(l).to_type(ScalarType.Float64));
    }

    /// <summary>The feature that goes best with each label.</summary>
    public IReadOnlyList<(int Feature, double Correlation)> Best() => Largest(Correlations().t().contiguous());

    /// <summary>The label that goes best with each feature.</summary>
    public IReadOnlyList<(int Label, double Correlation)> BestLabels() => Largest(Correlations());

    private static (int, double)[] Largest(Tensor rows)
    {
        using var scope = NewDisposeScope();
        var (best, which) = rows.topk(1, 1);
        return [.. which.cpu().data<long>().ToArray().Zip(best.cpu().data<double>().ToArray(), (index, correlation) => ((int)index, correlation))];
    }

    /// <summary>[features, labels].</summary>
    private Tensor Correlations()
    {
        using var scope = NewDisposeScope();
        var (features, labels) = (_features / _cells, _labels / _cells);
        var covariances = _products / _cells - features.unsqueeze(1) * labels;
        var spread = ((_featureSquares / _cells - features.square()).unsqueeze(1) * (labels - labels.square())).clamp_min(1e-24).sqrt();
        return (covariances / spread).MoveToOuterDisposeScope();
    }

    public void Dispose()
    {
        foreach (var sums in (Tensor[])[_features, _featureSquares, _labels, _products])
            sums.Dispose();
    }
}
