using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>One step of the walk: what it makes of the hidden picture, and what it does to the skip connections.</summary>
internal abstract class Stage
{
    /// <summary>The result is also a skip connection.</summary>
    public bool PushesSkip { get; init; }

    /// <summary>The stage has used up the next skip connection.</summary>
    public bool DropsSkip { get; init; }

    /// <summary>Set where the stage's result can be watched and changed.</summary>
    public virtual UNetSite? Site => null;

    public abstract Tensor Forward(Walk walk);
}

internal sealed class ConvolutionStage(Conv2d convolution) : Stage
{
    public override Tensor Forward(Walk walk) => convolution.Forward(walk.Hidden);
}

/// <summary>A residual block; in the up path over the hidden picture and the next skip connection.</summary>
internal sealed class ResnetStage(ResnetBlock block) : Stage
{
    public override Tensor Forward(Walk walk) =>
        block.Forward(DropsSkip ? cat([walk.Hidden, walk.NextSkip], 1) : walk.Hidden, walk.Time);
}

internal sealed class TransformerStage(Transformer2D transformer, UNetSite site) : Stage
{
    public override UNetSite Site => site;

    public IReadOnlyList<Tensor> KeyValues(Tensor text) => transformer.KeyValues(text);

    public override Tensor Forward(Walk walk) => transformer.Forward(walk.Hidden, walk.Conditioning.KeyValues[site.Code]);
}

/// <summary>To the size of the next skip connection, which is not twice the hidden picture's where a side was odd.</summary>
internal sealed class UpsampleStage(Conv2d convolution) : Stage
{
    public override Tensor Forward(Walk walk) =>
        convolution.Forward(Upsample.Nearest(walk.Hidden, walk.NextSkip.shape[2], walk.NextSkip.shape[3]));
}

/// <summary>conv_out(silu(norm(x))).</summary>
internal sealed class OutputStage(GroupNorm norm, Conv2d convolution) : Stage
{
    public override Tensor Forward(Walk walk) => convolution.Forward(norm.ForwardSilu(walk.Hidden)).contiguous();
}
