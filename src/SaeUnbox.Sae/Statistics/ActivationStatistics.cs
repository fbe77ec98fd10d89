using SaeUnbox.Sae.Collection;
using SaeUnbox.Torch;
using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Sae.Statistics;

/// <summary>
/// Streaming statistics of one autoencoder over any number of positions. Sums are kept in double precision, so memory
/// and error do not grow with the data.
/// </summary>
public sealed class ActivationStatistics : IDisposable
{
    private const double Guard = 1e-8;

    private readonly SparseAutoencoder _sae;
    private readonly Tensor _counts;
    private readonly Tensor _sums;
    private readonly Tensor _squares;
    private readonly Tensor _inputSums;
    private readonly Tensor _inputSquares;
    private readonly Tensor _residualSums;
    private readonly Tensor _residualSquares;
    private long _positions;

    public ActivationStatistics(SparseAutoencoder sae)
    {
        _sae = sae;
        (_counts, _sums, _squares) = (Zeros(sae.Config.Features), Zeros(sae.Config.Features), Zeros(sae.Config.Features));
        (_inputSums, _inputSquares) = (Zeros(sae.Config.Width), Zeros(sae.Config.Width));
        (_residualSums, _residualSquares) = (Zeros(sae.Config.Width), Zeros(sae.Config.Width));

        Tensor Zeros(long size) => zeros([size], dtype: ScalarType.Float64, device: sae.Device).DetachFromDisposeScope();
    }

    /// <summary>Takes differences output - input, channels last: [..., d].</summary>
    public void Add(Tensor x)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        using var codes = _sae.Encode(x);
        var rows = x.to(_sae.Device).to(ScalarType.Float32).reshape(-1, _sae.Config.Width);
        var reconstruction = _sae.Decode(codes).reshape(-1, _sae.Config.Width);
        _positions += rows.shape[0];

        var features = codes.Indices.reshape(-1);
        var values = codes.Values.reshape(-1).to(ScalarType.Float64);
        _counts.scatter_add_(0, features, values.IsAbove(0).to(ScalarType.Float64));
        _sums.scatter_add_(0, features, values);
        _squares.scatter_add_(0, features, values * values);
        AddChannels(rows.to(ScalarType.Float64), _inputSums, _inputSquares);
        AddChannels((rows - reconstruction).to(ScalarType.Float64), _residualSums, _residualSquares);
    }

    /// <summary>The statistics of a whole collection, read shard by shard; progress is the share of its rows.</summary>
    /// <exception cref="SaeException">The collection is of another width.</exception>
    public static StatisticsReport Measure(
        SparseAutoencoder sae,
        ActivationCollection collection,
        IProgress<double>? progress = null,
        CancellationToken cancellation = default)
    {
        using var statistics = new ActivationStatistics(sae);
        long done = 0;
        foreach (var shard in collection.Shards)
        {
            cancellation.ThrowIfCancellationRequested();
            using var rows = shard.ReadRows();
            statistics.Add(rows);
            done += shard.Rows;
            progress?.Report((double)done / collection.Rows);
        }

        return statistics.Report();
    }

    /// <summary>The statistics of everything added so far.</summary>
    public StatisticsReport Report()
    {
        if (_positions == 0)
            throw new SaeException("There are no statistics of no activations.");
        var (counts, sums, squares) = (Values(_counts), Values(_sums), Values(_squares));
        var mean = new float[counts.Length];
        var deviation = new float[counts.Length];
        var frequency = new double[counts.Length];
        for (var feature = 0; feature < counts.Length; feature++)
        {
            frequency[feature] = counts[feature] / _positions;
            if (counts[feature] == 0)
                continue;
            var average = sums[feature] / counts[feature];
            mean[feature] = (float)average;
            deviation[feature] = (float)Math.Sqrt(Math.Max(0, squares[feature] / counts[feature] - average * average));
        }

        var (input, residual) = (Variances(_inputSums, _inputSquares), Variances(_residualSums, _residualSquares));
        var residualPower = Values(_residualSquares).Sum();
        return new StatisticsReport(
            _positions,
            new ActivationScale(mean, deviation),
            frequency,
            counts.Count(count => count == 0),
            input.Zip(residual, (whole, rest) => 1 - rest / (whole + Guard)).Average(),
            1 - residualPower / _positions / input.Sum(),
            counts.Sum() / _positions);
    }

    public void Dispose()
    {
        foreach (var tensor in new[] { _counts, _sums, _squares, _inputSums, _inputSquares, _residualSums, _residualSquares })
            tensor.Dispose();
    }

    private static void AddChannels(Tensor rows, Tensor sums, Tensor squares)
    {
        sums.Accumulate(rows.sum([0]));
        squares.Accumulate((rows * rows).sum([0]));
    }

    private double[] Variances(Tensor sums, Tensor squares) =>
        [.. Values(sums).Zip(Values(squares), (sum, square) => Math.Max(0, square / _positions - sum / _positions * (sum / _positions)))];

    private static double[] Values(Tensor tensor)
    {
        using var scope = NewDisposeScope();
        return tensor.cpu().data<double>().ToArray();
    }
}

/// <summary>Statistics of one autoencoder over a body of activations.</summary>
/// <param name="Positions">Grid cells seen.</param>
/// <param name="Scale">Mean and (population) standard deviation over the positions where a feature is active; 0 where never.</param>
/// <param name="Frequency">Share of positions where each feature is active.</param>
/// <param name="Dead">Features active nowhere.</param>
/// <param name="ExplainedVariancePerChannel">The reference's formula, see <see cref="ExplainedVariance.PerChannel"/>.</param>
/// <param name="ExplainedVariancePooled">The usual formula, see <see cref="ExplainedVariance.Pooled"/>.</param>
/// <param name="ActivePerPosition">Mean number of active features.</param>
public sealed record StatisticsReport(
    long Positions,
    ActivationScale Scale,
    IReadOnlyList<double> Frequency,
    int Dead,
    double ExplainedVariancePerChannel,
    double ExplainedVariancePooled,
    double ActivePerPosition);
