using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>One resolution of the decoder: residual blocks, then twice the size.</summary>
internal sealed class KLUpBlock
{
    private readonly ResnetBlock[] _resnets;
    private readonly DoublingConv2d? _upsampler;

    public KLUpBlock(Weights weights, int inChannels, int outChannels, AutoencoderKLConfig config, bool upsample)
    {
        _resnets = [.. Enumerable.Range(0, config.LayersPerBlock + 1).Select(i => new ResnetBlock(
            weights.At($"resnets.{i}"), i == 0 ? inChannels : outChannels, outChannels, config.NormGroups, eps: 1e-6))];
        _upsampler = upsample ? new DoublingConv2d(weights.At("upsamplers.0.conv"), outChannels) : null;
    }

    /// <summary>Frees <paramref name="x"/>.</summary>
    public Tensor Forward(Tensor x, CancellationToken cancellation)
    {
        foreach (var resnet in _resnets)
        {
            cancellation.ThrowIfCancellationRequested();
            x = x.Into(t => resnet.Forward(t));
        }

        return _upsampler is null ? x : x.Into(_upsampler.Forward);
    }
}
