using static TorchSharp.torch;

namespace SaeUnbox.Models.Tests;

/// <summary>Products and convolutions against float64, at shapes that take each of the ways there are.</summary>
public sealed class ProductTests
{
    [Theory]
    [InlineData(ScalarType.Float32, 1, 64, 32, 1e-5)]
    [InlineData(ScalarType.Float32, 77, 768, 128, 1e-5)]
    [InlineData(ScalarType.Float32, 300, 640, 96, 1e-5)]
    [InlineData(ScalarType.BFloat16, 300, 640, 96, .01)]
    public void Linear_AnyShape_MatchesFloat64(ScalarType dtype, long rows, long inputs, long outputs, double limit)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        manual_seed(5);
        var x = randn([2, inputs, rows]).to_type(dtype).transpose(1, 2);
        var (weight, bias) = (randn([outputs, inputs]).to_type(dtype), randn([outputs]).to_type(dtype));
        AssertNear(nn.functional.linear(Wide(x), Wide(weight), Wide(bias)), Functional.Linear(x, weight, bias), limit);
        AssertNear(nn.functional.linear(Wide(x), Wide(weight)), Functional.Linear(x, weight), limit);
    }

    [Theory]
    [InlineData(1, 2, 2, 16, 32, 0)]
    [InlineData(2, 6, 14, 48, 16, 0)]
    [InlineData(1, 6, 14, 48, 16, 100)]
    [InlineData(1, 220, 200, 128, 128, 0)]
    public void Winograd_AnySize_MatchesFloat64(long batch, long height, long width, long inputs, long outputs, double mean)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        manual_seed(5);
        var x = randn([batch, inputs, height, width]).Plus(mean);
        var (weight, bias) = (randn([outputs, inputs, 3, 3]), randn([outputs]));
        var exact = nn.functional.conv2d(Wide(x), Wide(weight), Wide(bias), padding: [1, 1]);
        AssertNear(exact, Winograd.Convolve(x, Winograd.Transform(weight), bias), 1e-5);
        AssertNear(exact - Wide(bias).view(1, -1, 1, 1), Winograd.Convolve(x, Winograd.Transform(weight), null), 1e-5);
    }

    private static void AssertNear(Tensor exact, Tensor result, double limit)
    {
        Assert.Equal(exact.shape, result.shape);
        var off = ((result.to_type(float64) - exact).abs().max() / exact.abs().max()).item<double>();
        Assert.True(off <= limit, $"{off} of the largest value");
    }

    private static Tensor Wide(Tensor x) => x.to_type(float64);
}
