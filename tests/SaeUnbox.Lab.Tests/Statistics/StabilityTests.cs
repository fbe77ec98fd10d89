using static SaeUnbox.Steering.Tests.GoldenSaes;

namespace SaeUnbox.Lab.Tests.Statistics;

public class StabilityTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 3)]
    [InlineData(4, 6)]
    [InlineData(6, 6)]
    public void Largest_SmallMatrices_EqualsTheBestOfAllAssignments(int rows, int columns)
    {
        for (var seed = 0; seed < 40; seed++)
        {
            var random = new Random(seed);
            // Few different values, so that many are equal; every other matrix has negative ones.
            float[] gains = [.. Enumerable.Range(0, rows * columns).Select(_ => random.Next(5) - (seed % 2 * 3f))];

            var found = Assignment.Largest(gains, rows, columns);

            Assert.Equal(rows, found.Distinct().Count());
            Assert.All(found, column => Assert.InRange(column, 0, columns - 1));
            Assert.Equal(Best(gains, columns, rows, []), found.Select((column, row) => gains[(row * columns) + column]).Sum());
        }

        static float Best(float[] gains, int columns, int rows, int[] taken) => taken.Length == rows ? 0
            : Enumerable.Range(0, columns).Except(taken)
                .Max(column => gains[(taken.Length * columns) + column] + Best(gains, columns, rows, [.. taken, column]));
    }

    [Fact]
    public void Largest_ALargeMatrix_HasNoBetterSwap()
    {
        const int size = 120;
        var random = new Random(5);
        float[] gains = [.. Enumerable.Range(0, size * size).Select(_ => random.NextSingle())];

        var found = Assignment.Largest(gains, size, size);

        float At(int row, int column) => gains[(row * size) + column];
        for (var a = 0; a < size; a++)
            for (var b = 0; b < a; b++)
                Assert.True(At(a, found[a]) + At(b, found[b]) >= At(a, found[b]) + At(b, found[a]) - 1e-6);
    }

    [Fact]
    public void Measure_ADictionaryWithItself_IsTheSame()
    {
        using var sae = Load(Sites().First().Data);

        var figures = DictionaryStability.Measure(sae, sae);

        Assert.Equal((sae.Features, sae.Features), (figures.First, figures.Second));
        Assert.Equal(1, figures.MatchedCosine, 1e-5);
        Assert.Equal(1, figures.SameShare);
        Assert.Equal(1, figures.BestCosine, 1e-5);
    }

    [Fact]
    public void Measure_TwoDictionaries_MatchesEachFeatureOnce()
    {
        string[] sites = [.. Sites().Select(site => site.Data)];
        using var first = Load(sites[0]);
        using var second = sites.Skip(1).Select(Load).First(sae => sae.Width == first.Width);

        var figures = DictionaryStability.Measure(first, second);

        double[][] a = Rows(first), b = Rows(second);
        double[][] cosines = [.. a.Select(x => b.Select(y => x.Zip(y, (p, q) => p * q).Sum()).ToArray())];
        Assert.Equal(cosines.Average(row => row.Max()), figures.BestCosine, 1e-5);
        // A match of each feature with the one of the same number, and the best of each, bound the best match.
        Assert.InRange(figures.MatchedCosine, cosines.Index().Average(row => row.Item[row.Index]) - 1e-6, figures.BestCosine + 1e-6);

        static double[][] Rows(SparseAutoencoder sae)
        {
            var values = sae.Dictionary.cpu().contiguous().data<float>().ToArray();
            return [.. values.Chunk(sae.Width).Select(row =>
            {
                var length = Math.Sqrt(row.Sum(value => (double)value * value));
                return row.Select(value => value / length).ToArray();
            })];
        }
    }
}
