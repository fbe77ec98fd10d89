using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Models;

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
