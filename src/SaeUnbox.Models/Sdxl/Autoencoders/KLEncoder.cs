using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>Residual blocks down to the coarsest resolution, the middle block, then the moments.</summary>
internal sealed class KLEncoder
{
    private readonly Conv2d _convIn;
    private readonly KLDownBlock[] _downBlocks;
    private readonly KLMidBlock _midBlock;
    private readonly GroupNorm _normOut;
    private readonly Conv2d _convOut;

    public KLEncoder(Weights weights, AutoencoderKLConfig config)
    {
        var widths = config.BlockOutChannels;
        _convIn = new Conv2d(weights.At("conv_in"), config.InChannels, widths[0], kernel: 3, padding: 1);
        _downBlocks = [.. widths.Select((width, i) => new KLDownBlock(
            weights.At($"down_blocks.{i}"), widths[Math.Max(i - 1, 0)], width, config, downsample: i < widths.Count - 1))];
        _midBlock = new KLMidBlock(weights.At("mid_block"), widths[^1], config);
        _normOut = new GroupNorm(weights.At("conv_norm_out"), config.NormGroups, widths[^1], eps: 1e-6);
        _convOut = new Conv2d(weights.At("conv_out"), widths[^1], 2 * config.LatentChannels, kernel: 3, padding: 1);
    }

    public Tensor Forward(Tensor image, CancellationToken cancellation)
    {
        var x = ChannelsLast.Of(image).Into(_convIn.Forward);
        foreach (var block in _downBlocks)
        {
            x = block.Forward(x, cancellation);
        }

        return _midBlock.Forward(x, cancellation).Into(_normOut.ForwardSilu).Into(_convOut.Forward);
    }
}
