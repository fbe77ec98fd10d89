using SaeUnbox.Checkpoints;
using static TorchSharp.torch;

namespace SaeUnbox.Diffusion;

/// <summary>Normalises the last dimension, then scales and shifts it.</summary>
internal sealed class LayerNorm(Weights weights, long features, double eps = 1e-5)
{
    private readonly Tensor _weight = weights.Get("weight", features);
    private readonly Tensor _bias = weights.Get("bias", features);

    public Tensor Forward(Tensor x) => nn.functional.layer_norm(x.to_type(_weight.dtype), [features], _weight, _bias, eps);
}
