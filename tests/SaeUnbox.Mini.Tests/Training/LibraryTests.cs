using SaeUnbox.Mini.Scenes;
using SaeUnbox.Mini.Training;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Tests.Training;

/// <summary>
/// What training takes from the tensor library, where an overload or a default of its .NET form could be another than meant.
/// </summary>
public sealed class LibraryTests
{
    [Fact]
    public void Learn_Deltas_GivesTheirMeanAndMeanDistance()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        using var memory = new SiteMemory("down.2.1", 3, FeatureDirections.None(3), CPU);
        var deltas = randn([2, 3, 16, 16], generator: generator).Plus(4);
        // No element is in any of the pictures: there is nothing to keep as an example.
        int[][] examples = [.. Enumerable.Range(0, 2).Select(_ => Enumerable.Repeat(-1, SceneElement.All.Count).ToArray())];

        memory.Learn(new Random(1), deltas, examples, isEarly: true);

        var values = deltas.data<float>().ToArray();
        var rows = Enumerable
            .Range(0, 2 * 256)
            .Select(i => Enumerable.Range(0, 3).Select(c => (double)values[(i / 256 * 3 + c) * 256 + i % 256]).ToArray())
            .ToArray();
        var mean = Enumerable.Range(0, 3).Select(c => .2 * rows.Average(row => row[c])).ToArray();
        var distance = rows.Average(row => Math.Sqrt(row.Zip(mean, (a, b) => (a - b) * (a - b)).Sum()));
        for (var c = 0; c < 3; c++)
            Assert.Equal(mean[c], memory.Mean[c].item<float>(), 1e-5);
        Assert.Equal(.8 + .2 * distance, memory.Norm.item<float>(), 1e-5);
    }

    [Fact]
    public void Roll_ThreeAxes_ShiftsEachByItsOwn()
    {
        using var scope = NewDisposeScope();
        var x = Arithmetic.Range(0, 2 * 1 * 4 * 5, ScalarType.Float32).reshape(2, 1, 4, 5);

        var moved = x.roll([1, 2, -1], [0, 2, 3]);

        for (var b = 0; b < 2; b++)
            for (var row = 0; row < 4; row++)
                for (var column = 0; column < 5; column++)
                    Assert.Equal(x[b, 0, row, column].item<float>(), moved[(b + 1) % 2, 0, (row + 2) % 4, (column + 4) % 5].item<float>());
    }

    [Fact]
    public void Loss_OfLabels_IsTheMeanCrossEntropyOfNormalisedCells()
    {
        using var scope = NewDisposeScope();
        using var weights = new Models.Weights(new Models.RandomWeights(1), ScalarType.Float32);
        var head = new LabelHead(weights, 3);
        weights.Load();
        using var generator = new Generator(2);
        var delta = randn([1, 3, 16, 16], generator: generator);
        var labels = rand([1, SceneLabels.Count, 16, 16], generator: generator).IsAbove(.5).to_type(ScalarType.Float32);

        var loss = head.Loss(delta, labels).item<float>();

        var (values, truth, directions) =
            (delta.data<float>().ToArray(), labels.data<float>().ToArray(), head.Directions.data<float>().ToArray());
        var expected = 0.0;
        for (var cell = 0; cell < 256; cell++)
        {
            double[] x = [values[cell], values[256 + cell], values[512 + cell]];
            var mean = x.Average();
            var deviation = Math.Sqrt(x.Average(value => (value - mean) * (value - mean)) + 1e-5);
            for (var label = 0; label < SceneLabels.Count; label++)
            {
                var score = Enumerable.Range(0, 3).Sum(c => directions[label * 3 + c] * (x[c] - mean) / deviation);
                expected += Math.Log(1 + Math.Exp(-score)) + (1 - truth[label * 256 + cell]) * score;
            }
        }
        Assert.Equal(expected / (256 * SceneLabels.Count), loss, 1e-5);
    }

    [Fact]
    public void Enlarge_Mask_RepeatsEveryCell()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(3);
        var mask = rand([1, 1, 16, 16], generator: generator);

        var large = Regions.Enlarge(mask, 4);

        Assert.Equal([1, 1, 64, 64], large.shape);
        for (var i = 0; i < 64; i += 3)
            for (var j = 0; j < 64; j += 5)
                Assert.Equal(mask[0, 0, i / 4, j / 4].item<float>(), large[0, 0, i, j].item<float>());
    }

    [Fact]
    public void OfThings_AnyThingInACell_IsItsLargestLabel()
    {
        using var scope = NewDisposeScope();
        var labels = zeros([1, SceneLabels.Count, 16, 16]);
        labels[0, SceneLabels.Of(ThingKind.House), 2, 3].Fill(1);
        labels[0, 0, 4, 5].Fill(1);

        var things = Regions.OfThings(labels);

        Assert.Equal([1, 1, 16, 16], things.shape);
        Assert.Equal(1, things.sum().item<float>());
        Assert.Equal(1, things[0, 0, 2, 3].item<float>());
    }

    [Fact]
    public void Clip_ManyGradients_NormIsExactToSixDigits()
    {
        using var scope = NewDisposeScope();
        const int count = 40_000_000;
        var gradients = Arithmetic.Full([count], .1, ScalarType.Float32);

        Assert.Equal(1, Gradients.Clip(gradients, double.PositiveInfinity) / ((double).1f * Math.Sqrt(count)), 1e-6);
    }
}
