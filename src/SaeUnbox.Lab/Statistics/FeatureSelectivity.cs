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

    /// <summary>For each label, the features with the highest correlations, the best first.</summary>
    public IReadOnlyList<IReadOnlyList<LabelFeature>> Best(int count)
    {
        using var scope = NewDisposeScope();
        var (best, which) = Correlations().t().contiguous().topk(count, 1);
        var correlations = best.cpu().data<double>().ToArray();
        return [.. which.cpu().data<long>().ToArray().Select((feature, i) => new LabelFeature((int)feature, correlations[i])).Chunk(count)];
    }

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

    /// <summary>
    /// Each feature's share of all activation where the label applies, less its share elsewhere, [features, labels] float64.
    /// </summary>
    public Tensor Scores()
    {
        using var scope = NewDisposeScope();
        var inside = _products.Over(_cells).Plus(_features.outer(_labels));
        var outside = _features.unsqueeze(1) - inside;
        return (Shares(inside) - Shares(outside)).MoveToOuterDisposeScope();

        static Tensor Shares(Tensor activation) => activation / activation.sum([0L]).AtLeast(1e-24);
    }

    public void Dispose()
    {
        foreach (var sums in (Tensor[])[_features, _featureSquares, _labels, _products])
            sums.Dispose();
    }
}

/// <param name="Feature">Index in the site's dictionary.</param>
/// <param name="Correlation">With the label.</param>
internal sealed record LabelFeature(int Feature, double Correlation);
