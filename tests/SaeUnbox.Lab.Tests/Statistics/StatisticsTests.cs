using SaeUnbox.Testing;
using static SaeUnbox.Steering.Tests.GoldenSaes;
using static SaeUnbox.Testing.GoldenTensors;
using static TorchSharp.torch;

namespace SaeUnbox.Lab.Tests;

public class StatisticsTests
{
    [Fact]
    public void Report_InPieces_EqualsTheWhole()
    {
        using var scope = NewDisposeScope();
        var site = Sites().First().Data;
        using var sae = Load(site);
        var x = Read("saes.safetensors", $"{site}/diff").view(-1, sae.Config.Width);
        using var statistics = new ActivationStatistics(sae);
        for (long start = 0, piece = 1; start < x.shape[0]; start += piece, piece = piece * 2 + 1)
            statistics.Add(x.narrow(0, start, Math.Min(piece, x.shape[0] - start)));
        var report = statistics.Report();

        using var codes = sae.Encode(x);
        var dense = codes.ToDense();
        Assert.Equal(x.shape[0], report.Positions);
        for (var feature = 0; feature < sae.Config.Features; feature++)
        {
            var active = dense.select(1, feature).Floats().Where(value => value > 0).Select(value => (double)value).ToArray();
            Assert.Equal(active.Length / (double)x.shape[0], report.Frequency[feature], 1e-9);
            var mean = active.Length == 0 ? 0 : active.Average();
            Assert.Equal(mean, report.Scale.Mean[feature], 1e-4);
            var deviation = active.Length == 0 ? 0 : Math.Sqrt(active.Average(value => (value - mean) * (value - mean)));
            Assert.Equal(deviation, report.Scale.StandardDeviation![feature], 2e-3);
        }

        Assert.Equal(report.Frequency.Count(frequency => frequency == 0), report.Dead);
        var reconstruction = sae.Decode(codes);
        Assert.Equal(ExplainedVariance.PerChannel(reconstruction, x), report.ExplainedVariancePerChannel, 1e-4);
        Assert.Equal(ExplainedVariance.Pooled(reconstruction, x), report.ExplainedVariancePooled, 1e-4);
        Assert.Equal(
            Goldens.Json("saes.json").GetProperty(site).GetProperty("explained_variance").GetDouble(),
            report.ExplainedVariancePerChannel,
            1e-4);
    }

    [Fact]
    public void Report_Empty_SaysSo()
    {
        using var sae = SaeLoader.Load(Goldens.At("saes_other", "probe"));
        using var statistics = new ActivationStatistics(sae);
        Assert.Throws<SaeException>(() => statistics.Report());
    }

    [Fact]
    public void PerfectReconstruction_ExplainsAllVariance()
    {
        using var scope = NewDisposeScope();
        var x = randn([50, 4]);
        Assert.Equal(1, ExplainedVariance.Pooled(x, x), 1e-6);
        Assert.Equal(1, ExplainedVariance.PerChannel(x, x), 1e-6);
        Assert.Equal(0, ExplainedVariance.Pooled(x.mean([0]).expand(50, 4), x), 1e-5);
    }

    [Fact]
    public void Neighbours_WithinAndAcross_AreTheLargestCosines()
    {
        using var scope = NewDisposeScope();
        var sites = Sites().Select(row => row.Data).ToArray();
        using var first = Load(sites[0]);
        using var second = Load(sites[1]);
        foreach (var (from, to) in new[] { (first, first), (first, second) })
        {
            var found = CosineNeighbours.Find(from, to, 3);
            Assert.Equal(from.Config.Features, found.Count);
            var feature = from.Config.Features / 2;
            var direction = from.Direction(feature).Floats();
            var cosines = Enumerable.Range(0, to.Config.Features)
                .Where(other => !ReferenceEquals(from, to) || other != feature)
                .Select(other => Cosine(direction, to.Direction(other).Floats()))
                .OrderDescending()
                .Take(3)
                .ToArray();
            for (var i = 0; i < cosines.Length; i++)
                Assert.Equal(cosines[i], found[feature][i].Cosine, 1e-5);
            Assert.DoesNotContain(found[feature], neighbour => ReferenceEquals(from, to) && neighbour.Feature == feature);
        }
    }

    [Fact]
    public void Neighbours_DifferentWidths_AreRefused()
    {
        using var probe = SaeLoader.Load(Goldens.At("saes_other", "probe"));
        using var other = Load(Sites().First().Data);
        Assert.Throws<SaeException>(() => CosineNeighbours.Find(probe, other, 1));
    }

    private static double Cosine(float[] a, float[] b) =>
        a.Zip(b, (x, y) => (double)x * y).Sum() / Math.Sqrt(a.Sum(x => (double)x * x) * b.Sum(y => (double)y * y));
}
