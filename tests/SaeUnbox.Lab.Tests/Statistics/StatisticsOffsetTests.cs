using static TorchSharp.torch;

namespace SaeUnbox.Lab.Tests;

/// <summary>
/// Statistics of data whose mean is up to 10,000 times its spread, against two passes in float64 over the same float32 values. Squares
/// taken before the mean is off lose all digits of the spread there in float32, and half of them in float64.
/// </summary>
public class OffsetTests
{
    private const int Rows = 3000, Width = 6;

    public static TheoryData<double> Offsets => [0, 10, 100, 1000, 10000];

    [Theory, MemberData(nameof(Offsets))]
    public void RunningMoments_RowsInPieces_MatchTwoPasses(double offset)
    {
        using var scope = NewDisposeScope();
        var x = Normal(offset, seed: 1);
        using var moments = new RunningMoments(Width, CPU);
        for (int start = 0, piece = 1; start < Rows; start += piece, piece = piece * 2 + 1)
            moments.AddRows(x.narrow(0, start, Math.Min(piece, Rows - start)));

        var (counts, means, variances) = moments.Read();

        for (var channel = 0; channel < Width; channel++)
        {
            var (mean, variance) = TwoPasses(Column(x, channel));
            Assert.Equal(Rows, counts[channel]);
            Assert.Equal(mean, means[channel], 1e-10 * Math.Max(1, offset));
            Assert.Equal(1, variances[channel] / variance, 1e-10);
        }
    }

    [Theory, MemberData(nameof(Offsets))]
    public void RunningMoments_SingleSeries_MatchTwoPasses(double offset)
    {
        using var scope = NewDisposeScope();
        var values = Normal(offset, seed: 2).view(-1);
        var series = tensor(Enumerable.Range(0, Rows * Width).Select(i => (long)(i * i % 7)).ToArray());
        using var moments = new RunningMoments(8, CPU);
        moments.AddAt(series.narrow(0, 0, 10), values.narrow(0, 0, 10));
        moments.AddAt(series.narrow(0, 10, Rows * Width - 10), values.narrow(0, 10, Rows * Width - 10));

        var (counts, means, variances) = moments.Read();

        var groups = series.Integers().Zip(values.Floats()).ToLookup(pair => pair.First, pair => (double)pair.Second);
        for (var one = 0; one < 8; one++)
        {
            Assert.Equal(groups[one].Count(), counts[one]);
            var (mean, variance) = counts[one] == 0 ? (0, 0) : TwoPasses([.. groups[one]]);
            Assert.Equal(mean, means[one], 1e-10 * Math.Max(1, offset));
            Assert.Equal(variance, variances[one], 1e-10);
        }
    }

    [Theory, MemberData(nameof(Offsets))]
    public void Statistics_OffsetInputs_MatchTwoPasses(double offset)
    {
        using var scope = NewDisposeScope();
        using var sae = RandomSae(features: 5, k: 3, dictionaryOffset: 0, latentBias: offset);
        var x = Normal(offset, seed: 3);
        using var statistics = new ActivationStatistics(sae);
        statistics.Add(x.narrow(0, 0, 100));
        statistics.Add(x.narrow(0, 100, Rows - 100));

        var report = statistics.Report();

        using var codes = sae.Encode(x);
        var dense = codes.ToDense();
        for (var feature = 0; feature < sae.Config.Features; feature++)
        {
            double[] active = [.. Column(dense, feature).Where(value => value > 0)];
            var (mean, variance) = TwoPasses(active);
            Assert.Equal(mean, report.Scale.Mean[feature], 1e-7 * mean);
            Assert.Equal(1, report.Scale.StandardDeviation![feature] / Math.Sqrt(variance), 1e-6);
        }
        var reconstruction = sae.Decode(codes);
        // Both are far below 0 here: the decoder of random directions explains nothing.
        var (perChannel, pooled) = Explained(reconstruction, x);
        Assert.Equal(1, report.ExplainedVariancePerChannel / perChannel, 1e-6);
        Assert.Equal(1, report.ExplainedVariancePooled / pooled, 1e-6);
    }

    [Theory, MemberData(nameof(Offsets))]
    public void ExplainedVariance_OffsetData_MatchesTwoPasses(double offset)
    {
        using var scope = NewDisposeScope();
        var x = Normal(offset, seed: 4);
        var reconstruction = x.Plus(Normal(0, seed: 5).Times(.3));

        var (perChannel, pooled) = Explained(reconstruction, x);

        Assert.Equal(perChannel, ExplainedVariance.PerChannel(reconstruction, x), 2e-6);
        Assert.Equal(pooled, ExplainedVariance.Pooled(reconstruction, x), 2e-6);
    }

    [Theory, MemberData(nameof(Offsets))]
    public void TrainingStep_OffsetData_MatchesTwoPasses(double offset)
    {
        using var scope = NewDisposeScope();
        var x = Normal(offset, seed: 6);
        using var trainer = SaeTrainer.Start(new TrainingOptions { Features = 12, K = 3, AuxK = 4, BatchSize = Rows }, x, seed: 7);
        var reconstruction = trainer.Sae.Reconstruct(x);
        var (spread, error, ratio) = (0.0, 0.0, 0.0);
        for (var channel = 0; channel < Width; channel++)
        {
            spread += TwoPasses(Column(x, channel)).Variance / Width;
            error += Column(x, channel).Zip(Column(reconstruction, channel), (a, b) => (a - b) * (a - b)).Average() / Width;
        }
        for (var row = 0; row < Rows; row++)
            ratio += Length(reconstruction[row]) / Length(x[row]) / Rows;

        var report = trainer.Step(x);

        Assert.Equal(1, trainer.MseScale * spread, 2e-6);
        Assert.Equal(1, report.Reconstruction / (error / spread), 5e-6);
        Assert.Equal(Explained(reconstruction, x).PerChannel, report.ExplainedVariance, 5e-6);
        Assert.Equal(1, report.NormRatio / ratio, 1e-6);

        static double Length(Tensor row) => Math.Sqrt(row.Floats().Sum(value => (double)value * value));
    }

    [Theory, MemberData(nameof(Offsets))]
    public void GeometricMedian_OffsetPoints_MatchesFloat64(double offset)
    {
        using var scope = NewDisposeScope();
        // Skewed, so that it is not the mean.
        var points = Normal(0, seed: 8).exp().Plus(offset);
        var rows = Enumerable.Range(0, Rows).Select(row => points[row].Floats().Select(value => (double)value).ToArray()).ToArray();
        var expected = Weiszfeld(rows);

        var median = GeometricMedian.Of(points).Floats();

        // The iteration ends where a float32 objective repeats, within 2e-4 of its minimum here; the result is rounded by at most a step.
        var step = MathF.BitIncrement((float)offset) - (float)offset;
        for (var channel = 0; channel < Width; channel++)
            Assert.Equal(expected[channel], median[channel], 2e-4 + step);
    }

    [Theory, MemberData(nameof(Offsets))]
    public void Neighbours_NearlyEqualDirections_KeepTheirOrder(double offset)
    {
        using var scope = NewDisposeScope();
        using var sae = RandomSae(features: 40, k: 3, dictionaryOffset: offset, latentBias: 0);
        var directions = Enumerable
            .Range(0, 40)
            .Select(feature => sae.Direction(feature).Floats().Select(value => (double)value).ToArray())
            .ToArray();

        var found = CosineNeighbours.Find(sae, sae, 5);

        for (var feature = 0; feature < 40; feature++)
        {
            var nearest = Enumerable
                .Range(0, 40)
                .Where(other => other != feature)
                .OrderByDescending(other => Cosine(feature, other))
                .Take(5)
                .ToArray();
            Assert.Equal(nearest, found[feature].Select(neighbour => neighbour.Feature));
            Assert.All(found[feature], neighbour => Assert.Equal(Cosine(feature, neighbour.Feature), neighbour.Cosine, 1e-7));
        }

        double Cosine(int a, int b) => Dot(a, b) / Math.Sqrt(Dot(a, a) * Dot(b, b));
        double Dot(int a, int b) => directions[a].Zip(directions[b], (x, y) => x * y).Sum();
    }

    private static Tensor Normal(double offset, ulong seed)
    {
        using var generator = new Generator(seed);
        return randn([Rows, Width], dtype: ScalarType.Float32, generator: generator).Plus(offset);
    }

    private static SparseAutoencoder RandomSae(int features, int k, double dictionaryOffset, double latentBias)
    {
        using var generator = new Generator(10);
        return new SparseAutoencoder(
            new SaeConfig(features, Width, k, null, 100),
            randn([features, Width], generator: generator),
            randn([features, Width], generator: generator).Plus(dictionaryOffset),
            Arithmetic.Full([Width], latentBias, ScalarType.Float32),
            Arithmetic.Full([features], latentBias, ScalarType.Float32),
            zeros([features], dtype: ScalarType.Int64));
    }

    private static double[] Column(Tensor matrix, int column) => [.. matrix.select(1, column).Floats().Select(value => (double)value)];

    private static (double Mean, double Variance) TwoPasses(double[] values)
    {
        var mean = values.Average();
        return (mean, values.Average(value => (value - mean) * (value - mean)));
    }

    private static (double PerChannel, double Pooled) Explained(Tensor reconstruction, Tensor x)
    {
        var (perChannel, residual, whole) = (0.0, 0.0, 0.0);
        for (var channel = 0; channel < Width; channel++)
        {
            var values = Column(x, channel);
            var rest = values.Zip(Column(reconstruction, channel), (value, made) => value - made).ToArray();
            var variance = TwoPasses(values).Variance;
            perChannel += (1 - TwoPasses(rest).Variance / variance) / Width;
            residual += rest.Sum(value => value * value);
            whole += variance * values.Length;
        }
        return (perChannel, 1 - residual / whole);
    }

    private static double[] Weiszfeld(double[][] points)
    {
        var median = Enumerable.Range(0, Width).Select(channel => points.Average(point => point[channel])).ToArray();
        for (var i = 0; i < 200; i++)
        {
            var weights = points.Select(point => 1 / Math.Sqrt(point.Zip(median, (a, b) => (a - b) * (a - b)).Sum())).ToArray();
            var total = weights.Sum();
            median = [.. Enumerable.Range(0, Width)
                .Select(channel => points.Zip(weights, (point, weight) => point[channel] * weight).Sum() / total)];
        }
        return median;
    }
}
