using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>The variational autoencoder of Stable Diffusion (AutoencoderKL; arXiv 2112.10752, section 3.1).</summary>
public sealed class AutoencoderKL : IAutoencoder
{
    private readonly KLEncoder _encoder;
    private readonly KLDecoder _decoder;
    private readonly Conv2d? _quantConv;
    private readonly Conv2d? _postQuantConv;

    /// <param name="weights">Registers the tensors here; its Load reads them.</param>
    /// <param name="config">Sizes and options of the model.</param>
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

    /// <summary>Which latents are decoded in tiles.</summary>
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
        var encoded = _encoder.Forward(image.to_type(DType), cancellation);
        var moments = (_quantConv is null ? encoded : _quantConv.Forward(encoded)).to_type(ScalarType.Float32);
        // The first half holds the means, the second the log variances.
        return Scale(moments.narrow(1, 0, LatentChannels).contiguous()).MoveToOuterDisposeScope();
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

/// <summary>The config.json of an AutoencoderKL.</summary>
/// <param name="InChannels">Channels of the encoder's input image.</param>
/// <param name="OutChannels">Channels of the decoder's output image.</param>
/// <param name="LatentChannels">Channels of the latents.</param>
/// <param name="BlockOutChannels">Width at each resolution, finest first.</param>
/// <param name="LayersPerBlock">Residual blocks at each resolution of the encoder; the decoder has one more.</param>
/// <param name="NormGroups">Groups of each group norm.</param>
/// <param name="MidAttention">The middle block has self-attention.</param>
/// <param name="QuantConv">A 1x1 convolution follows the encoder.</param>
/// <param name="PostQuantConv">A 1x1 convolution precedes the decoder.</param>
/// <param name="ScalingFactor">The pipeline's latents are the encoder's times this factor.</param>
/// <param name="LatentsMean">Mean of each latent channel; null if the pipeline's latents are not normalised.</param>
/// <param name="LatentsStd">Standard deviation of each latent channel; null if they are not normalised.</param>
/// <param name="ForceUpcast">Activations overflow in float16, so a float16 model decodes in float32.</param>
/// <param name="SampleSize">Side in pixels of the training images and of a tile.</param>
public sealed record AutoencoderKLConfig(
    int InChannels,
    int OutChannels,
    int LatentChannels,
    IReadOnlyList<int> BlockOutChannels,
    int LayersPerBlock,
    int NormGroups,
    bool MidAttention,
    bool QuantConv,
    bool PostQuantConv,
    double ScalingFactor,
    IReadOnlyList<double>? LatentsMean,
    IReadOnlyList<double>? LatentsStd,
    bool ForceUpcast,
    int SampleSize)
{
    /// <summary>Reads a configuration. Missing keys get the defaults of diffusers.</summary>
    /// <exception cref="ModelException">A value is malformed or not supported.</exception>
    public static AutoencoderKLConfig From(JsonConfig json)
    {
        json.Choice("_class_name", "AutoencoderKL", "AutoencoderKL");
        json.Choice("act_fn", "silu", "silu", "swish");
        var widths = json.Counts("block_out_channels", [64]);
        CheckBlockTypes(json, "down_block_types", "DownEncoderBlock2D", widths.Count);
        CheckBlockTypes(json, "up_block_types", "UpDecoderBlock2D", widths.Count);
        var groups = json.Count("norm_num_groups", 32);
        if (widths.FirstOrDefault(w => w % groups != 0) is var odd and not 0)
            throw json.Wrong("block_out_channels", $"multiples of norm_num_groups {groups}, and holds {odd}");

        var latentChannels = json.Count("latent_channels", 4);
        return new AutoencoderKLConfig(
            json.Count("in_channels", 3),
            json.Count("out_channels", 3),
            latentChannels,
            widths,
            json.Count("layers_per_block", 1),
            groups,
            json.Flag("mid_block_add_attention", true),
            json.Flag("use_quant_conv", true),
            json.Flag("use_post_quant_conv", true),
            ReadScalingFactor(json),
            ReadPerChannel(json, "latents_mean", latentChannels),
            ReadPerChannel(json, "latents_std", latentChannels),
            json.Flag("force_upcast", true),
            json.Count("sample_size", 32));
    }

    private static double ReadScalingFactor(JsonConfig json) => json.Number("scaling_factor", 0.18215) is var factor and > 0
        ? factor
        : throw json.Wrong("scaling_factor", "above 0");

    private static IReadOnlyList<double>? ReadPerChannel(JsonConfig json, string key, int channels)
    {
        if (json.Find(key) is null)
            return null;
        var values = json.Numbers(key);
        return values.Count == channels ? values : throw json.Wrong(key, $"a list of {channels} numbers, one for each latent channel");
    }

    private static void CheckBlockTypes(JsonConfig json, string key, string type, int count)
    {
        var types = json.Texts(key, [.. Enumerable.Repeat(type, count)]);
        if (types.Count != count || types.Any(t => t != type))
            throw json.Wrong(key, $"\"{type}\" {count} times, once for each entry of block_out_channels");
    }
}

/// <summary>Residual blocks at falling resolutions, the middle block, then a convolution to means and log variances.</summary>
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
        var x = ChannelsLast.Convert(image).Into(_convIn.Forward);
        foreach (var block in _downBlocks)
            x = block.Forward(x, cancellation);

        return _midBlock.Forward(x, cancellation).Into(_normOut.ForwardSilu).Into(_convOut.Forward);
    }
}

/// <summary>The middle block at the resolution of the latents, then residual blocks at rising resolutions.</summary>
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
        var x = _midBlock.Forward(ChannelsLast.Convert(latents).Into(_convIn.Forward), cancellation);
        foreach (var block in _upBlocks)
            x = block.Forward(x, cancellation);

        return x.Into(_normOut.ForwardSilu).Into(_convOut.Forward);
    }
}

/// <summary>One resolution of the encoder: residual blocks, then downsampling by 2.</summary>
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

    /// <summary>Disposes <paramref name="x"/>.</summary>
    public Tensor Forward(Tensor x, CancellationToken cancellation)
    {
        foreach (var resnet in _resnets)
        {
            cancellation.ThrowIfCancellationRequested();
            x = x.Into(t => resnet.Forward(t));
        }

        // Pads only on the right and at the bottom.
        return _downsampler is null ? x : x.Into(t => nn.functional.pad(t, [0, 1, 0, 1])).Into(_downsampler.Forward);
    }
}

/// <summary>Residual block, self-attention if configured, residual block.</summary>
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

    /// <summary>Disposes <paramref name="x"/>.</summary>
    public Tensor Forward(Tensor x, CancellationToken cancellation)
    {
        x = x.Into(t => _first.Forward(t));
        cancellation.ThrowIfCancellationRequested();
        x = _attention is null ? x : x.Into(_attention.Forward);
        cancellation.ThrowIfCancellationRequested();
        return x.Into(t => _second.Forward(t));
    }
}

/// <summary>One resolution of the decoder: residual blocks, then upsampling by 2.</summary>
internal sealed class KLUpBlock
{
    private readonly ResnetBlock[] _resnets;
    private readonly UpsampleConv2d? _upsampler;

    public KLUpBlock(Weights weights, int inChannels, int outChannels, AutoencoderKLConfig config, bool upsample)
    {
        _resnets = [.. Enumerable.Range(0, config.LayersPerBlock + 1).Select(i => new ResnetBlock(
            weights.At($"resnets.{i}"), i == 0 ? inChannels : outChannels, outChannels, config.NormGroups, eps: 1e-6))];
        _upsampler = upsample ? new UpsampleConv2d(weights.At("upsamplers.0.conv"), outChannels) : null;
    }

    /// <summary>Disposes <paramref name="x"/>.</summary>
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

/// <summary>x + self-attention over all pixels, with a single head.</summary>
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
