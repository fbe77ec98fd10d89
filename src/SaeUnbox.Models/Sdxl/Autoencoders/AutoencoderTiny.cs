using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>A distilled autoencoder of plain convolutions (TAESD, as diffusers' AutoencoderTiny lays it out).</summary>
public sealed class AutoencoderTiny : IAutoencoder
{
    private readonly TinyEncoder _encoder;
    private readonly TinyDecoder _decoder;

    /// <summary>Registers the weights under <paramref name="weights"/>; they are there once its Load has run.</summary>
    public AutoencoderTiny(Weights weights, AutoencoderTinyConfig config)
    {
        Config = config;
        DType = weights.DType;
        _encoder = new TinyEncoder(weights.At("encoder.layers"), config);
        _decoder = new TinyDecoder(weights.At("decoder.layers"), config);
    }

    public AutoencoderTinyConfig Config { get; }

    public int LatentChannels => Config.LatentChannels;

    public int PixelsPerCell => (int)Math.Pow(Config.Upsampling, Config.DecoderWidths.Count - 1);

    public ScalarType DType { get; }

    /// <summary>How large latents are decoded in tiles; a whole decode needs a tenth of what the large autoencoder takes.</summary>
    public Tiling Tiling { get; init; } = new(512 * 512);

    public Tensor Decode(Tensor latents, CancellationToken cancellation = default)
    {
        using var scope = NewDisposeScope();
        var unscaled = latents.to_type(DType).Over(Config.ScalingFactor);
        var image = Tiling.Decode(unscaled, tile: 64, PixelsPerCell, cells =>
        {
            using var inner = NewDisposeScope();
            return _decoder.Forward(cells, cancellation).to_type(ScalarType.Float32).Times(2).Minus(1).MoveToOuterDisposeScope();
        });
        return image.MoveToOuterDisposeScope();
    }

    public Tensor Encode(Tensor image, CancellationToken cancellation = default)
    {
        using var scope = NewDisposeScope();
        var latents = _encoder.Forward(image.Plus(1).Over(2).to_type(DType), cancellation);
        return latents.to_type(ScalarType.Float32).Times(Config.ScalingFactor).contiguous().MoveToOuterDisposeScope();
    }
}
