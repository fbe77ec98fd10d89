using SaeUnbox.Checkpoints;
using static TorchSharp.torch;

namespace SaeUnbox.Diffusion;

/// <summary>Normalises groups of channels over all cells, in float32 whatever the model's type: half precision is slow and coarse here.</summary>
internal sealed class GroupNorm(Weights weights, long groups, long channels, double eps)
{
    private readonly Tensor _weight = weights.Get("weight", ScalarType.Float32, channels);
    private readonly Tensor _bias = weights.Get("bias", ScalarType.Float32, channels);

    public Tensor Forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        return Normalise(x).to_type(x.dtype).MoveToOuterDisposeScope();
    }

    /// <summary>The norm and silu, in one pass less.</summary>
    public Tensor ForwardSilu(Tensor x)
    {
        using var scope = NewDisposeScope();
        return Private.Silu(Normalise(x)).to_type(x.dtype).MoveToOuterDisposeScope();
    }

    private Tensor Normalise(Tensor x) => nn.functional.group_norm(x.to_type(ScalarType.Float32), groups, _weight, _bias, eps);
}
