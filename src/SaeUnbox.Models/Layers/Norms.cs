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
    // near each group's mean, that of its middle row, is taken off first; the norm takes off what is left.
    private Tensor Near(Tensor x)
    {
        var near = x.detach().select(2, x.shape[2] / 2).mean([2]).view(x.shape[0], groups, channels / groups).mean([2], keepdim: true);
        return x - near.expand(x.shape[0], groups, channels / groups).reshape(x.shape[0], channels, 1, 1);
    }

    private static ScalarType Wide(ScalarType type) => type == ScalarType.Float64 ? type : ScalarType.Float32;
}

/// <summary>Normalises the last dimension, then scales and shifts it; on a CPU at least in float32.</summary>
internal sealed class LayerNorm(Weights weights, long features, double eps = 1e-5)
{
    private readonly ScalarType _result = weights.DType;
    private readonly Tensor _weight = weights.Get("weight", Arithmetic(weights), features);
    private readonly Tensor _bias = weights.Get("bias", Arithmetic(weights), features);

    public Tensor Forward(Tensor x)
    {
        if (x.dtype == _result && NormKernel.Takes(x, features))
            return NormKernel.OfRows(x, _weight, _bias, eps);
        using var scope = NewDisposeScope();
        return nn.functional.layer_norm(x.to_type(_weight.dtype), [features], _weight, _bias, eps).to_type(_result).MoveToOuterDisposeScope();
    }

    private static ScalarType Arithmetic(Weights weights) =>
        weights.Device.type == DeviceType.CPU && weights.DType != ScalarType.Float64 ? ScalarType.Float32 : weights.DType;
}

/// <summary>x + conv2(silu(norm2(conv1(silu(norm1(x))) + time))), with a 1x1 convolution over x where the width changes.</summary>
internal sealed class ResnetBlock
{
    private readonly GroupNorm _norm1;
    private readonly Conv2d _conv1;
    private readonly Linear? _timeProjection;
    private readonly GroupNorm _norm2;
    private readonly Conv2d _conv2;
    private readonly Conv2d? _shortcut;

    /// <param name="timeChannels">Width of the time embedding; null where the block has none.</param>
    public ResnetBlock(Weights weights, long inChannels, long outChannels, long groups, double eps, long? timeChannels = null)
    {
        _norm1 = new GroupNorm(weights.At("norm1"), groups, inChannels, eps);
        _conv1 = new Conv2d(weights.At("conv1"), inChannels, outChannels, kernel: 3, padding: 1);
        _timeProjection = timeChannels is { } width ? new Linear(weights.At("time_emb_proj"), width, outChannels) : null;
        _norm2 = new GroupNorm(weights.At("norm2"), groups, outChannels, eps);
        _conv2 = new Conv2d(weights.At("conv2"), outChannels, outChannels, kernel: 3, padding: 1);
        _shortcut = inChannels == outChannels ? null : new Conv2d(weights.At("conv_shortcut"), inChannels, outChannels, kernel: 1);
    }

    /// <param name="x">[B, in, H, W].</param>
    /// <param name="activatedTime">silu of the time embedding, [B, width]: the same for every block, so its caller computes it once.</param>
    public Tensor Forward(Tensor x, Tensor? activatedTime = null)
    {
        using var scope = NewDisposeScope();
        var hidden = _conv1.Forward(_norm1.ForwardSilu(x));
        if (_timeProjection is not null)
        {
            var time = activatedTime ?? throw new ArgumentNullException(nameof(activatedTime), "This block takes a time embedding.");
            hidden = Private.Add(hidden, _timeProjection.Forward(time).unsqueeze(-1).unsqueeze(-1));
        }

        hidden = _conv2.Forward(_norm2.ForwardSilu(hidden));
        return Private.Add(hidden, _shortcut?.Forward(x) ?? x).MoveToOuterDisposeScope();
    }
}
