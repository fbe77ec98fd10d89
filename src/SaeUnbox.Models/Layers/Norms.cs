using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>Normalises groups of channels over all pixels, in float32 or float64, because bfloat16 and float16 are too coarse.</summary>
internal sealed class GroupNorm(Weights weights, long groups, long channels, double eps)
{
    private readonly Tensor _weight = weights.Get("weight", Wide(weights.DType), channels);
    private readonly Tensor _bias = weights.Get("bias", Wide(weights.DType), channels);

    /// <summary>[B, C, H, W] to the same shape and type.</summary>
    public Tensor Forward(Tensor x) => Forward(x, silu: false);

    /// <summary>silu(norm(x)).</summary>
    public Tensor ForwardSilu(Tensor x) => Forward(x, silu: true);

    private Tensor Forward(Tensor x, bool silu)
    {
        if (NormKernel.Supports(x, channels))
            return NormKernel.GroupNorm(x, groups, _weight, _bias, eps, silu);
        using var scope = NewDisposeScope();
        var wide = x.to_type(_weight.dtype);
        var y = nn.functional.group_norm(x.device_type == DeviceType.CPU ? Center(wide) : wide, groups, _weight, _bias, eps);
        return (silu ? InPlace.Silu(y) : y).to_type(x.dtype).MoveToOuterDisposeScope();
    }

    // libtorch's CPU kernel for channels-last tensors loses digits if a mean is large compared with the standard deviation. This first
    // subtracts an estimate of each group's mean, the mean of the middle row. The norm subtracts the rest.
    private Tensor Center(Tensor x)
    {
        var rows = x.detach().select(2, x.shape[2] / 2).mean([2]);
        var estimate = rows.view(x.shape[0], groups, channels / groups).mean([2], keepdim: true);
        return x - estimate.expand(x.shape[0], groups, channels / groups).reshape(x.shape[0], channels, 1, 1);
    }

    private static ScalarType Wide(ScalarType type) => type == ScalarType.Float64 ? type : ScalarType.Float32;
}

/// <summary>Normalises the last dimension, then scales and shifts it; on a CPU in float32 or float64.</summary>
internal sealed class LayerNorm(Weights weights, long features, double eps = 1e-5)
{
    private readonly ScalarType _dtype = weights.DType;
    private readonly Tensor _weight = weights.Get("weight", ComputeType(weights), features);
    private readonly Tensor _bias = weights.Get("bias", ComputeType(weights), features);

    public Tensor Forward(Tensor x)
    {
        if (x.dtype == _dtype && NormKernel.Supports(x, features))
            return NormKernel.LayerNorm(x, _weight, _bias, eps);
        using var scope = NewDisposeScope();
        var y = nn.functional.layer_norm(x.to_type(_weight.dtype), [features], _weight, _bias, eps);
        return y.to_type(_dtype).MoveToOuterDisposeScope();
    }

    /// <summary>The result rounded to int8, without storing it on the way.</summary>
    public Int8Rows ForwardRounded(Tensor x)
    {
        if (x.dtype == _dtype && NormKernel.Supports(x, features) && features <= Int8Rows.MostColumns)
            return Int8Rows.OfLayerNorm(x, _weight, _bias, eps);
        using var scope = NewDisposeScope();
        return Int8Rows.Of(Forward(x)).MoveToOuterDisposeScope();
    }

    private static ScalarType ComputeType(Weights weights) =>
        weights.Device.type == DeviceType.CPU && weights.DType != ScalarType.Float64 ? ScalarType.Float32 : weights.DType;
}
