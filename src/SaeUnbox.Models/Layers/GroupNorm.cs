using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>Normalises groups of channels over all cells, at least in float32 whatever the model's type: half precision is coarse here.</summary>
internal sealed class GroupNorm(Weights weights, long groups, long channels, double eps)
{
    private readonly Tensor _weight = weights.Get("weight", Wide(weights.DType), channels);
    private readonly Tensor _bias = weights.Get("bias", Wide(weights.DType), channels);

    public Tensor Forward(Tensor x)
    {
        if (NormKernel.Takes(x, channels))
            return NormKernel.OfGroups(x, groups, _weight, _bias, eps, silu: false);
        using var scope = NewDisposeScope();
        return Normalise(x).to_type(x.dtype).MoveToOuterDisposeScope();
    }

    /// <summary>The norm and silu, in one pass where there is a kernel for it.</summary>
    public Tensor ForwardSilu(Tensor x)
    {
        if (NormKernel.Takes(x, channels))
            return NormKernel.OfGroups(x, groups, _weight, _bias, eps, silu: true);
        using var scope = NewDisposeScope();
        return Private.Silu(Normalise(x)).to_type(x.dtype).MoveToOuterDisposeScope();
    }

    private Tensor Normalise(Tensor x)
    {
        var wide = x.to_type(_weight.dtype);
        return nn.functional.group_norm(x.device_type == DeviceType.CPU ? Near(wide) : wide, groups, _weight, _bias, eps);
    }

    // libtorch's kernel of channels-last tensors on a CPU loses the digits of a mean that is large beside the spread, so a value
    // near each group's mean is taken off first; the norm takes off what is left.
    private Tensor Near(Tensor x)
    {
        var near = x.detach().mean([2, 3]).view(x.shape[0], groups, channels / groups).mean([2], keepdim: true);
        return x - near.expand(x.shape[0], groups, channels / groups).reshape(x.shape[0], channels, 1, 1);
    }

    private static ScalarType Wide(ScalarType type) => type == ScalarType.Float64 ? type : ScalarType.Float32;
}
