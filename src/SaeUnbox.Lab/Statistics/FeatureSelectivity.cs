using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>
/// How features, or channels, go with labels over grid cells. Moments are merged in float64 (Chan, Golub and LeVeque, The American
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

    /// <param name="activations">[cells, features].</param>
    /// <param name="labels">[cells, labels] of 0 or 1.</param>
    public void Add(Tensor activations, Tensor labels)
    {
        using var scope = NewDisposeScope();
        var (z, l) = (activations.to_type(ScalarType.Float64), labels.to_type(ScalarType.Float64));
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

    /// <summary>
    /// Mean where a label applies less mean where it does not, [features, labels] float64; 0 for labels that apply everywhere or nowhere.
    /// </summary>
    public Tensor MeanDifferences()
    {
        using var scope = NewDisposeScope();
        return (_products.Over(_cells) / (_labels - _labels.Square()).AtLeast(1e-24)).MoveToOuterDisposeScope();
    }

    private static (int, double)[] Largest(Tensor rows)
    {
        using var scope = NewDisposeScope();
        var (best, which) = rows.topk(1, 1);
        return [.. which.cpu().data<long>()
            .ToArray().Zip(best.cpu().data<double>().ToArray(), (index, correlation) => ((int)index, correlation))];
    }

    /// <summary>Pearson's correlations, [features, labels] float64.</summary>
    public Tensor Correlations()
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
