using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>linear_2(silu(linear_1(x))): from a sinusoid to the width that residual blocks take.</summary>
internal sealed class TimeEmbedding(Weights weights, long inChannels, long outChannels)
{
    private readonly Linear _linear1 = new(weights.At("linear_1"), inChannels, outChannels);
    private readonly Linear _linear2 = new(weights.At("linear_2"), outChannels, outChannels);

    public Tensor Forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        return _linear2.Forward(Private.Silu(_linear1.Forward(x))).MoveToOuterDisposeScope();
    }
}
