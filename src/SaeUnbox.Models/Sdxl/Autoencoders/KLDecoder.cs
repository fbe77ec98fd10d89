using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>The middle block at the latents' resolution, then residual blocks up to the image's.</summary>
internal sealed class KLDecoder
{
    private readonly Conv2d _convIn;
    private readonly KLMidBlock _midBlock;
    private readonly KLUpBlock[] _upBlocks;
    private readonly GroupNorm _normOut;
    private readonly Conv2d _convOut;

    public KLDecoder(Weights weights, AutoencoderKLConfig config)
    {
        int[] widths = [.. config.BlockOutChannels.Reverse()];
        _convIn = new Conv2d(weights.At("conv_in"), config.LatentChannels, widths[0], kernel: 3, padding: 1);
        _midBlock = new KLMidBlock(weights.At("mid_block"), widths[0], config);
        _upBlocks = [.. widths.Select((width, i) => new KLUpBlock(
            weights.At($"up_blocks.{i}"), widths[Math.Max(i - 1, 0)], width, config, upsample: i < widths.Length - 1))];
        _normOut = new GroupNorm(weights.At("conv_norm_out"), config.NormGroups, widths[^1], eps: 1e-6);
        _convOut = new Conv2d(weights.At("conv_out"), widths[^1], config.OutChannels, kernel: 3, padding: 1);
    }

    public Tensor Forward(Tensor latents, CancellationToken cancellation)
    {
        var x = _midBlock.Forward(ChannelsLast.Of(latents).Into(_convIn.Forward), cancellation);
        foreach (var block in _upBlocks)
        {
            x = block.Forward(x, cancellation);
        }

        return x.Into(_normOut.ForwardSilu).Into(_convOut.Forward);
    }
}
