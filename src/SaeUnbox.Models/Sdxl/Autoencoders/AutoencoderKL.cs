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
