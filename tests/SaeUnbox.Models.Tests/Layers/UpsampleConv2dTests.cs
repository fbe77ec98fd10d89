using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Models.Tests;

public sealed class UpsampleConv2dTests
{
    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(2, 3, 5)]
    [InlineData(1, 8, 2)]
    public void Forward_AnySize_IsTheConvolutionOfTheEnlargedPicture(int batch, int height, int width)
    {
        using var scope = NewDisposeScope();
        using var weights = new Weights(new RandomWeights(7), ScalarType.Float32);
        var layer = new UpsampleConv2d(weights, 6);
        weights.Load();
        weights.Tensors["bias"].copy_(randn([6]));
        var x = randn([batch, 6, height, width]);
        var large = x.repeat_interleave(2, 2).repeat_interleave(2, 3);
        var expected = nn.functional.conv2d(large, weights.Tensors["weight"], weights.Tensors["bias"], padding: [1, 1]);
        TensorAssert.Close(expected, layer.Forward(ChannelsLast.Convert(x)), 1e-5);
    }
}
