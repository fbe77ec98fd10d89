using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>One resolution of the encoder: residual blocks, then half the size.</summary>
internal sealed class KLDownBlock
{
    private readonly ResnetBlock[] _resnets;
    private readonly Conv2d? _downsampler;

    public KLDownBlock(Weights weights, int inChannels, int outChannels, AutoencoderKLConfig config, bool downsample)
    {
        _resnets = [.. Enumerable.Range(0, config.LayersPerBlock).Select(i => new ResnetBlock(
            weights.At($"resnets.{i}"), i == 0 ? inChannels : outChannels, outChannels, config.NormGroups, eps: 1e-6))];
        _downsampler = downsample
            ? new Conv2d(weights.At("downsamplers.0.conv"), outChannels, outChannels, kernel: 3, stride: 2)
            : null;
    }

    /// <summary>Frees <paramref name="x"/>.</summary>
    public Tensor Forward(Tensor x, CancellationToken cancellation)
    {
        foreach (var resnet in _resnets)
        {
            cancellation.ThrowIfCancellationRequested();
            x = x.Into(t => resnet.Forward(t));
        }

        // The encoder pads only right and below.
        return _downsampler is null ? x : x.Into(t => nn.functional.pad(t, [0, 1, 0, 1])).Into(_downsampler.Forward);
    }
}
