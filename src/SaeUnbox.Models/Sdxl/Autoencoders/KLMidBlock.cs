using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>Residual block, self-attention (where configured), residual block.</summary>
internal sealed class KLMidBlock
{
    private readonly ResnetBlock _first;
    private readonly KLAttention? _attention;
    private readonly ResnetBlock _second;

    public KLMidBlock(Weights weights, int channels, AutoencoderKLConfig config)
    {
        _first = new ResnetBlock(weights.At("resnets.0"), channels, channels, config.NormGroups, eps: 1e-6);
        _attention = config.MidAttention ? new KLAttention(weights.At("attentions.0"), channels, config.NormGroups) : null;
        _second = new ResnetBlock(weights.At("resnets.1"), channels, channels, config.NormGroups, eps: 1e-6);
    }

    /// <summary>Frees <paramref name="x"/>.</summary>
    public Tensor Forward(Tensor x, CancellationToken cancellation)
    {
        x = x.Into(t => _first.Forward(t));
        cancellation.ThrowIfCancellationRequested();
        x = _attention is null ? x : x.Into(_attention.Forward);
        cancellation.ThrowIfCancellationRequested();
        return x.Into(t => _second.Forward(t));
    }
}
