using SaeUnbox.Mini.Evaluation;
using SaeUnbox.Mini.Scenes;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Tests.Evaluation;

public sealed class FeatureSelectivityTests
{
    [Fact]
    public void Best_FeatureThatIsTwiceALabel_HasCorrelationOne()
    {
        using var scope = NewDisposeScope();
        var random = new Random(1);
        var labels = new byte[SceneLabels.Count * 256];
        for (var i = 0; i < labels.Length; i++)
            labels[i] = (byte)random.Next(2);
        const int label = 9, feature = 4;
        // Two features of six in every cell: one at random, and the one that follows the label.
        var indices = Enumerable.Range(0, 256).SelectMany(cell => new long[] { cell % 3, feature }).ToArray();
        var values = Enumerable
            .Range(0, 256)
            .SelectMany(cell => new[] { (float)random.NextDouble(), 2f * labels[label * 256 + cell] })
            .ToArray();
        using var codes = new SparseCodes(tensor(indices).reshape(1, 16, 16, 2), tensor(values).reshape(1, 16, 16, 2), 6);
        using var selectivity = new FeatureSelectivity(6, SceneLabels.Count, CPU);

        selectivity.Add(codes, [labels]);
        selectivity.Add(codes, [labels]);

        Assert.Equal(feature, selectivity.Best(2)[label][0].Feature);
        Assert.Equal(1, selectivity.Best(2)[label][0].Correlation, 1e-5);
        Assert.InRange(selectivity.Best(2)[label + 1][0].Correlation, -1, .4);
    }
}
