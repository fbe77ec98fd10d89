using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>x + conv2(silu(norm2(conv1(silu(norm1(x))) + time))); if the width changes, a 1x1 convolution adapts x.</summary>
internal sealed class ResnetBlock
{
    private readonly GroupNorm _norm1;
    private readonly Conv2d _conv1;
    private readonly Linear? _timeProjection;
    private readonly GroupNorm _norm2;
    private readonly Conv2d _conv2;
    private readonly Conv2d? _shortcut;

    /// <param name="timeChannels">Width of the time embedding; null if the block takes none.</param>
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
    /// <param name="activatedTime">silu of the time embedding, [B, width]. All blocks share it, so the caller computes it once.</param>
    public Tensor Forward(Tensor x, Tensor? activatedTime = null)
    {
        using var scope = NewDisposeScope();
        var hidden = _conv1.Forward(_norm1.ForwardSilu(x));
        if (_timeProjection is not null)
        {
            var time = activatedTime ?? throw new ArgumentNullException(nameof(activatedTime), "This block needs a time embedding.");
            hidden = InPlace.Add(hidden, _timeProjection.Forward(time).unsqueeze(-1).unsqueeze(-1));
        }

        return _conv2.ForwardAdd(_norm2.ForwardSilu(hidden), _shortcut?.Forward(x) ?? x).MoveToOuterDisposeScope();
    }
}
