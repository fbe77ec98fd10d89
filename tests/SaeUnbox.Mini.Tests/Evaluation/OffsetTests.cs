using SaeUnbox.Mini.Evaluation;
using SaeUnbox.Mini.Scenes;
using SaeUnbox.Mini.Training;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Tests.Evaluation;

/// <summary>Figures of data whose mean is many times its spread, against two passes in float64.</summary>
public sealed class OffsetTests
{
    private const int Cells = CellMask.Side * CellMask.Side, Features = 3;

    [Theory]
    [InlineData(0)]
    [InlineData(10)]
    [InlineData(100)]
    [InlineData(1000)]
    [InlineData(10000)]
    public void Selectivity_OffsetActivations_MatchesPearsonsCorrelation(double offset)
    {
        using var scope = NewDisposeScope();
        var random = new Random(1);
        using var selectivity = new FeatureSelectivity(Features, 2, CPU);
        var (features, labels) = (new List<double>[Features], new List<double>[2]);
        for (var i = 0; i < Features; i++)
            features[i] = [];
        for (var i = 0; i < 2; i++)
            labels[i] = [];
        for (var batch = 0; batch < 3; batch++)
        {
            byte[][] maps = [.. Enumerable.Range(0, 2)
                .Select(_ => Enumerable.Range(0, 2 * Cells).Select(i => (byte)(random.NextDouble() < .3 + .2 * batch ? 1 : 0)).ToArray())];
            // Feature 0 goes with label 0, feature 1 with label 1 and less so, feature 2 with neither.
            var values = Enumerable.Range(0, 2 * Cells).SelectMany(cell => Enumerable.Range(0, Features)
                .Select(feature => (float)(offset + 1 + random.NextDouble()
                    + (feature < 2 ? maps[cell / Cells][feature * Cells + cell % Cells] * (1.0 - .5 * feature) : 0)))).ToArray();
            var indices = Enumerable.Range(0, 2 * Cells).SelectMany(_ => new long[] { 0, 1, 2 }).ToArray();
            using var codes =
                new SparseCodes(tensor(indices).reshape(2, 16, 16, Features), tensor(values).reshape(2, 16, 16, Features), Features);
            selectivity.Add(codes, maps);
            for (var cell = 0; cell < 2 * Cells; cell++)
            {
                for (var feature = 0; feature < Features; feature++)
                    features[feature].Add(values[cell * Features + feature]);
                for (var label = 0; label < 2; label++)
                    labels[label].Add(maps[cell / Cells][label * Cells + cell % Cells]);
            }
        }

        var best = selectivity.Best(1);

        for (var label = 0; label < 2; label++)
        {
            Assert.Equal(label, best[label][0].Feature);
            Assert.Equal(Pearson(features[label], labels[label]), best[label][0].Correlation, 1e-9);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(.9)]
    [InlineData(-.999)]
    public void Psnr_SmallErrors_MatchesFloat64(double level)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(2);
        var truth = Arithmetic.Full([2, 3, 64, 64], level, ScalarType.Float32);
        var decoded = truth.Plus(randn([2, 3, 64, 64], generator: generator).Times(1e-4));

        var psnr = PictureBytes.Psnr(decoded, truth);

        var (made, right) = (decoded.data<float>().ToArray(), truth.data<float>().ToArray());
        for (var picture = 0; picture < 2; picture++)
        {
            var error = Enumerable.Range(picture * 3 * 64 * 64, 3 * 64 * 64)
                .Average(i => Math.Pow((Math.Clamp(made[i], -1.0, 1) - right[i]) / 2, 2));
            Assert.Equal(-10 * Math.Log10(error), psnr[picture], 1e-4);
        }
    }

    [Fact]
    public void LatentCode_LowContrastPictures_HasUnitVarianceAndNoCorrelation()
    {
        using var scope = NewDisposeScope();
        var random = new Random(3);
        // Bytes 249 and 250: a mean of .96 and a spread of .004, whose square is lost in that of the mean in float32.
        ScenePicture[] pictures = [.. Enumerable.Range(0, 4).Select(_ => SceneRenderer.Render(Scenes.Some.Scene(1)))];
        foreach (var picture in pictures)
            for (var i = 0; i < picture.Rgb.Length; i++)
                picture.Rgb[i] = (byte)(249 + random.Next(2));

        var code = LatentCode.Fit(pictures);

        var latents = pictures.Select(picture => code.Encode(picture)).ToArray();
        var channels = Enumerable
            .Range(0, LatentCode.Channels)
            .Select(channel => latents
                .SelectMany(one => one.Skip(channel * 64 * 64).Take(64 * 64))
                .Select(value => (double)value)
                .ToArray())
            .ToArray();
        for (var a = 0; a < channels.Length; a++)
        {
            Assert.Equal(0, channels[a].Average(), 1e-3);
            for (var b = 0; b < channels.Length; b++)
                Assert.Equal(a == b ? 1 : 0, channels[a].Zip(channels[b], (x, y) => x * y).Average(), 1e-3);
        }
    }

    private static double Pearson(List<double> x, List<double> y)
    {
        var (mx, my) = (x.Average(), y.Average());
        double Sum(List<double> a, double ma, List<double> b, double mb) => a.Zip(b, (p, q) => (p - ma) * (q - mb)).Sum();
        return Sum(x, mx, y, my) / Math.Sqrt(Sum(x, mx, x, mx) * Sum(y, my, y, my));
    }
}
