using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>The variational autoencoder of SDXL (AutoencoderKL; arXiv 2112.10752, section 3.1).</summary>
public sealed class AutoencoderKL : IAutoencoder
{
    private readonly KLEncoder _encoder;
    private readonly KLDecoder _decoder;
    private readonly Conv2d? _quantConv;
    private readonly Conv2d? _postQuantConv;

    /// <summary>Registers the weights under <paramref name="weights"/>; they are there once its Load has run.</summary>
    public AutoencoderKL(Weights weights, AutoencoderKLConfig config)
    {
        Config = config;
        DType = weights.DType;
        var (latent, moments) = (config.LatentChannels, 2 * config.LatentChannels);
        _encoder = new KLEncoder(weights.At("encoder"), config);
        _decoder = new KLDecoder(weights.At("decoder"), config);
        _quantConv = config.QuantConv ? new Conv2d(weights.At("quant_conv"), moments, moments, kernel: 1) : null;
        _postQuantConv = config.PostQuantConv ? new Conv2d(weights.At("post_quant_conv"), latent, latent, kernel: 1) : null;
    }

    public AutoencoderKLConfig Config { get; }

    public int LatentChannels => Config.LatentChannels;

    public int PixelsPerCell => 1 << (Config.BlockOutChannels.Count - 1);

    public ScalarType DType { get; }

    /// <summary>How large latents are decoded in tiles.</summary>
    public Tiling Tiling { get; init; } = Tiling.Default;

    public Tensor Decode(Tensor latents, CancellationToken cancellation = default)
    {
        using var scope = NewDisposeScope();
        var unscaled = Unscale(latents.to_type(DType));
        var image = Tiling.Decode(unscaled, Math.Max(1, Config.SampleSize / PixelsPerCell), PixelsPerCell, tile =>
        {
            using var inner = NewDisposeScope();
            var z = _postQuantConv is null ? tile : _postQuantConv.Forward(tile);
            return _decoder.Forward(z, cancellation).to_type(ScalarType.Float32).MoveToOuterDisposeScope();
        });
        return image.MoveToOuterDisposeScope();
    }

    public Tensor Encode(Tensor image, CancellationToken cancellation = default)
    {
        using var scope = NewDisposeScope();
        var (mean, _) = EncodeMoments(image, cancellation);
        return Scale(mean).MoveToOuterDisposeScope();
    }

    /// <summary>The encoder's normal distribution, unscaled: mean and log variance (clamped to -30 … 20), both [B, C, h, w], float32.</summary>
    public (Tensor Mean, Tensor LogVariance) EncodeMoments(Tensor image, CancellationToken cancellation = default)
    {
        using var scope = NewDisposeScope();
        var encoded = _encoder.Forward(image.to_type(DType), cancellation);
        var moments = (_quantConv is null ? encoded : _quantConv.Forward(encoded)).to_type(ScalarType.Float32);
        var mean = moments.narrow(1, 0, LatentChannels).contiguous();
        var logVariance = moments.narrow(1, LatentChannels, LatentChannels).Between(-30, 20).contiguous();
        return (mean.MoveToOuterDisposeScope(), logVariance.MoveToOuterDisposeScope());
    }

    private Tensor Unscale(Tensor latents) => PerChannel(latents) is var (mean, std)
        ? (latents * std).Over(Config.ScalingFactor).Plus(mean)
        : latents.Over(Config.ScalingFactor);

    private Tensor Scale(Tensor latents) => PerChannel(latents) is var (mean, std)
        ? (latents - mean).Times(Config.ScalingFactor) / std
        : latents.Times(Config.ScalingFactor);

    private (Tensor Mean, Tensor Std)? PerChannel(Tensor like)
    {
        return Config is { LatentsMean: { } mean, LatentsStd: { } std } ? (Column(mean), Column(std)) : null;

        Tensor Column(IReadOnlyList<double> values) =>
            tensor(values.ToArray(), like.dtype, like.device).view(1, LatentChannels, 1, 1);
    }
}

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

/// <summary>Self-attention over all cells with one head as wide as the block, around a skip connection.</summary>
internal sealed class KLAttention(Weights weights, int channels, int normGroups)
{
    private readonly GroupNorm _norm = new(weights.At("group_norm"), normGroups, channels, eps: 1e-6);
    private readonly Linear _query = new(weights.At("to_q"), channels, channels);
    private readonly Linear _key = new(weights.At("to_k"), channels, channels);
    private readonly Linear _value = new(weights.At("to_v"), channels, channels);
    private readonly Linear _out = new(weights.At("to_out.0"), channels, channels);

    public Tensor Forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        var rows = ChannelsLast.ToRows(_norm.Forward(x));
        var attended = Attention.Forward(_query.Forward(rows), _key.Forward(rows), _value.Forward(rows), heads: 1);
        var delta = ChannelsLast.FromRows(_out.Forward(attended), x.shape[2], x.shape[3]);
        return x.Plus(delta).MoveToOuterDisposeScope();
    }
}
