using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>
/// Statistics of an autoencoder over any number of positions, added piece by piece. Moments are merged in float64, so that neither memory
/// nor error grows with the data, and a large mean costs no precision.
/// </summary>
public sealed class ActivationStatistics : IDisposable
{
    private const double Epsilon = 1e-8;

    private readonly IFeatureDictionary _sae;
    private readonly RunningMoments _features, _inputs, _residuals;
    private long _positions;

    public ActivationStatistics(IFeatureDictionary sae)
    {
        _sae = sae;
        _features = new RunningMoments(sae.Features, sae.Device);
        _inputs = new RunningMoments(sae.Width, sae.Device);
        _residuals = new RunningMoments(sae.Width, sae.Device);
    }

    /// <summary>Adds vectors.</summary>
    /// <param name="x">What the dictionary reads of the site, channels last: [..., d].</param>
    public void Add(Tensor x)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        using var codes = _sae.Encode(x);
        var rows = x.to(_sae.Device).to(ScalarType.Float32).reshape(-1, _sae.Width);
        var reconstruction = _sae.Decode(codes).reshape(-1, _sae.Width);
        _positions += rows.shape[0];

        var values = codes.Contributions().reshape(-1);
        var active = values.IsAbove(0);
        _features.AddAt(codes.Indices.reshape(-1).masked_select(active), values.masked_select(active));
        _inputs.AddRows(rows);
        _residuals.AddRows(rows - reconstruction);
    }

    /// <summary>The statistics of a whole collection.</summary>
    /// <param name="progress">Receives the share of the vectors that are done.</param>
    /// <exception cref="SaeException">The collection has another width, or holds what the dictionary does not read.</exception>
    public static StatisticsReport Measure(
        IFeatureDictionary sae,
        ActivationCollection collection,
        Action<double>? progress = null,
        CancellationToken cancellation = default)
    {
        if (collection.HoldsOutputs != sae.ReadsOutput)
            throw new SaeException(
                $"{sae.Source}: reads {Read(sae.ReadsOutput)}, but {Read(collection.HoldsOutputs)} was collected; collect "
                + "again with this dictionary in --saes.");
        using var statistics = new ActivationStatistics(sae);
        long done = 0;
        foreach (var shard in collection.Shards)
        {
            cancellation.ThrowIfCancellationRequested();
            using var rows = shard.ReadRows();
            statistics.Add(rows);
            done += shard.Rows;
            progress?.Invoke((double)done / collection.Rows);
        }

        return statistics.Report();

        static string Read(bool outputs) => outputs ? "the site's output" : "what the site adds to its input";
    }

    /// <summary>The statistics of all vectors added so far.</summary>
    /// <exception cref="SaeException">There are none.</exception>
    public StatisticsReport Report()
    {
        if (_positions == 0)
            throw new SaeException("There are no activations to measure.");
        var (counts, means, variances) = _features.Read();
        var (_, _, input) = _inputs.Read();
        var (_, residualMeans, residual) = _residuals.Read();
        var residualPower = residual.Zip(residualMeans, (variance, mean) => variance + mean * mean).Sum();
        return new StatisticsReport(
            _positions,
            new ActivationScale([.. means.Select(mean => (float)mean)], [.. variances.Select(variance => (float)Math.Sqrt(variance))]),
            [.. counts.Select(count => count / _positions)],
            counts.Count(count => count == 0),
            input.Zip(residual, (whole, rest) => 1 - rest / (whole + Epsilon)).Average(),
            1 - residualPower / input.Sum(),
            counts.Sum() / _positions);
    }

    public void Dispose()
    {
        _features.Dispose();
        _inputs.Dispose();
        _residuals.Dispose();
    }
}

/// <summary>Statistics of an autoencoder.</summary>
/// <param name="Positions">Number of vectors.</param>
/// <param name="Scale">Mean and population standard deviation of each feature over the positions where it is active; 0 if it never
/// is.</param>
/// <param name="Frequency">For each feature, the share of positions where it is active.</param>
/// <param name="Dead">Number of features that are never active.</param>
/// <param name="ExplainedVariancePerChannel">See <see cref="ExplainedVariance.PerChannel"/>.</param>
/// <param name="ExplainedVariancePooled">See <see cref="ExplainedVariance.Pooled"/>.</param>
/// <param name="ActivePerPosition">Mean number of active features per position.</param>
public sealed record StatisticsReport(
    long Positions,
    ActivationScale Scale,
    IReadOnlyList<double> Frequency,
    int Dead,
    double ExplainedVariancePerChannel,
    double ExplainedVariancePooled,
    double ActivePerPosition)
{
    /// <summary>Fraction of variance unexplained: sum |x - x_hat|^2 / sum |x - mean(x)|^2.</summary>
    public double UnexplainedVariance => 1 - ExplainedVariancePooled;
}

/// <summary>
/// Count, mean and variance of many series, merged piece by piece in float64 (Chan, Golub and LeVeque, The American Statistician 37,
/// 1983). It sums squared distances from the mean, because plain squares lose the spread if the mean is large.
/// </summary>
internal sealed class RunningMoments : IDisposable
{
    private readonly Tensor _counts, _means, _squares;

    public RunningMoments(long series, Device device)
    {
        (_counts, _means, _squares) = (Zeros(), Zeros(), Zeros());

        Tensor Zeros() => zeros([series], dtype: ScalarType.Float64, device: device).DetachFromDisposeScope();
    }

    /// <summary>Adds a value to every series for each row of [p, series].</summary>
    public void AddRows(Tensor rows)
    {
        using var scope = NewDisposeScope();
        if (rows.shape[0] == 0)
            return;
        var values = rows.to(ScalarType.Float64);
        var means = values.mean([0]);
        Merge(Arithmetic.Full(means.shape, rows.shape[0], ScalarType.Float64, rows.device), means, (values - means).Square().sum([0]));
    }

    /// <summary>Adds single values [m] to the series of the given numbers, [m] int64.</summary>
    public void AddAt(Tensor series, Tensor values)
    {
        using var scope = NewDisposeScope();
        var wide = values.to(ScalarType.Float64);
        var counts = zeros_like(_counts).scatter_add_(0, series, ones_like(wide));
        var means = zeros_like(_means).scatter_add_(0, series, wide) / counts.AtLeast(1);
        Merge(counts, means, zeros_like(_squares).scatter_add_(0, series, (wide - means.index_select(0, series)).Square()));
    }

    /// <summary>Number of values, mean and population variance of each series; zeros for an empty series.</summary>
    public (double[] Counts, double[] Means, double[] Variances) Read()
    {
        using var scope = NewDisposeScope();
        return (Values(_counts), Values(_means), Values(_squares / _counts.AtLeast(1)));

        static double[] Values(Tensor tensor) => tensor.cpu().data<double>().ToArray();
    }

    public void Dispose()
    {
        _counts.Dispose();
        _means.Dispose();
        _squares.Dispose();
    }

    private void Merge(Tensor counts, Tensor means, Tensor squares)
    {
        var share = counts / _counts.Plus(counts).AtLeast(1);
        var step = means - _means;
        _squares.Accumulate(squares).Accumulate(step.Square() * _counts * share);
        _means.Accumulate(step * share);
        _counts.Accumulate(counts);
    }
}
