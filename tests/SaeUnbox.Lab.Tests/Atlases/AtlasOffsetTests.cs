using static TorchSharp.torch;

namespace SaeUnbox.Lab.Tests.Atlases;

/// <summary>What an atlas says of activations and directions that are alike but for small differences, against float64.</summary>
public sealed class OffsetTests
{
    private static readonly Site Site = Site.Parse("down.2.1");

    public static TheoryData<double> Offsets => [0, 10, 100, 1000, 10000];

    [Theory, MemberData(nameof(Offsets))]
    public void Tally_OffsetActivations_MatchesTwoPasses(double offset)
    {
        var random = new Random(1);
        var tally = new FeatureTally(Site, features: 1, most: 1);
        var seen = new List<double>();
        for (var caption = 0; caption < 40; caption++)
        {
            var values = Enumerable.Range(0, 256).Select(_ => (float)(offset + 1 + random.NextDouble())).ToArray();
            tally.Add(caption, new SiteActivations(Site, 0, 16, 16, 1, new int[256], values));
            seen.AddRange(values.Select(value => (double)value));
        }

        var statistics = tally.Statistics(0);

        var mean = seen.Average();
        Assert.Equal(mean, statistics.Mean, 1e-9 * (1 + offset));
        Assert.Equal(1, statistics.Std / Math.Sqrt(seen.Average(value => (value - mean) * (value - mean))), 1e-9);
    }

    [Theory, MemberData(nameof(Offsets))]
    public void Distances_NearlyEqualDirections_KeepTheirDigits(double offset)
    {
        const int features = 1100, width = 4;
        using var scope = NewDisposeScope();
        using var generator = new Generator(2);
        using var sae = new SparseAutoencoder(new SaeConfig(features, width, 1, null, 10), zeros([features, width]),
            randn([features, width], generator: generator).Plus(offset), zeros([width]), zeros([features]),
            zeros([features], ScalarType.Int64));
        var rows = Enumerable.Range(0, features).Select(feature => Unit(sae.Direction(feature).data<float>().ToArray())).ToArray();

        var distances = CosineDistances.Between(sae, [.. Enumerable.Range(0, features)]);

        foreach (var (a, b) in Enumerable.Range(0, features).Select(i => (i, i * 7 % features)).Where(pair => pair.i != pair.Item2))
        {
            var expected = rows[a].Zip(rows[b], (x, y) => (x - y) * (x - y)).Sum();
            Assert.Equal(expected, distances[a, b], (1e-6 * expected) + 4e-15);
        }

        static double[] Unit(float[] row)
        {
            var length = Math.Sqrt(row.Sum(value => (double)value * value));
            return Array.ConvertAll(row, value => value / length);
        }
    }
}
