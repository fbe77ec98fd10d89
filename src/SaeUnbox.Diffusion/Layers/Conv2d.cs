using SaeUnbox.Checkpoints;
using static TorchSharp.torch;

namespace SaeUnbox.Diffusion;

/// <summary>A square convolution over [B, in, H, W].</summary>
internal sealed class Conv2d
{
    private readonly Tensor _weight;
    private readonly Tensor? _bias;
    private readonly long[] _stride;
    private readonly long[] _padding;

    public Conv2d(Weights weights, long inChannels, long outChannels, long kernel, long stride = 1, long padding = 0, bool bias = true)
    {
        _weight = weights.Get("weight", outChannels, inChannels, kernel, kernel);
        _bias = bias ? weights.Get("bias", outChannels) : null;
        _stride = [stride, stride];
        _padding = [padding, padding];
    }

    public Tensor Forward(Tensor x) => Products.Conv2d(x, _weight, _bias, _stride, _padding);
}
