using SaeUnbox.Mini.Training;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Tests.Training;

public sealed class OptimisationTests
{
    [Theory]
    [InlineData(24, 40), InlineData(40, 24)]
    public void Orthogonal_AnyMatrix_HasSingularValuesAboutOne(long rows, long columns)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(3);

        var singular = linalg.svd(Muon.Orthogonal(randn([2, rows, columns], generator: generator)), false).S;

        Assert.InRange(singular.min().item<float>(), .4, 1.3);
        Assert.InRange(singular.max().item<float>(), .4, 1.3);
    }

    [Fact]
    public void Step_AdamW_MatchesTheLibrary()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(5);
        var start = randn([5, 4], generator: generator);
        var mine = start.clone();
        using var adam = new AdamW([new("w", mine)], .1);
        var theirs = new TorchSharp.Modules.Parameter(start.clone());
        using var library = optim.AdamW([theirs], lr: .02, beta1: .9, beta2: .98, weight_decay: .1);

        for (var step = 0; step < 4; step++)
        {
            var gradient = randn([5, 4], generator: generator);
            adam.Step(step, .02, gradient.flatten());
            theirs.grad = gradient;
            library.step();
        }

        Assert.True(mine.allclose(theirs, atol: 1e-6));
    }

    [Fact]
    public void Clip_LongGradients_AreShortenedTogether()
    {
        using var scope = NewDisposeScope();
        var gradients = Row.Of([Arithmetic.Full([2], 3.0, float32), Arithmetic.Full([2], 4.0, float32)]);

        var norm = Gradients.Clip(gradients, 1);

        Assert.Equal(Math.Sqrt(50), norm, 1e-4);
        Assert.Equal(3 / Math.Sqrt(50), gradients[0].item<float>(), 1e-4);
    }

    [Fact]
    public void At_LearningRate_RisesThenFallsToTheRest()
    {
        Assert.Equal(.1, LearningRate.At(0, 1000, 10, 1), 1e-6);
        Assert.InRange(LearningRate.At(10, 1000, 10, 1), .99, 1);
        Assert.Equal(.02, LearningRate.At(1000, 1000, 10, 1), 1e-6);
    }

    [Fact]
    public void Edge_OfABox_IsWithinReachOnBothSides()
    {
        using var scope = NewDisposeScope();
        var mask = zeros([1, 1, 12, 12]);
        mask.narrow(2, 4, 8).narrow(3, 4, 8).Fill(1);

        var edge = Regions.Edge(mask, 2);

        Assert.Equal(0, edge[0, 0, 1, 8].item<float>());
        Assert.Equal(1, edge[0, 0, 2, 8].item<float>());
        Assert.Equal(1, edge[0, 0, 5, 8].item<float>());
        Assert.Equal(0, edge[0, 0, 6, 8].item<float>());
        // At the picture's border there is no edge.
        Assert.Equal(0, edge[0, 0, 11, 11].item<float>());
    }
}
