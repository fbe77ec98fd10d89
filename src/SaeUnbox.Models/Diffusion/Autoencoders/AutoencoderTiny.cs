using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>A small distilled autoencoder of convolutions only (TAESD; AutoencoderTiny of diffusers).</summary>
public sealed class AutoencoderTiny : IAutoencoder
{
    private readonly TinyEncoder _encoder;
    private readonly TinyDecoder _decoder;

    /// <param name="weights">Registers the tensors here; its Load reads them.</param>
    /// <param name="config">Sizes and options of the model.</param>
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

    /// <summary>Which latents are decoded in tiles. The limit is high, because it needs a tenth of the memory of AutoencoderKL.</summary>
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

/// <summary>The config.json of an AutoencoderTiny (TAESD).</summary>
/// <param name="InChannels">Channels of the encoder's input image.</param>
/// <param name="OutChannels">Channels of the decoder's output image.</param>
/// <param name="LatentChannels">Channels of the latents.</param>
/// <param name="EncoderWidths">Width of each stage of the encoder.</param>
/// <param name="DecoderWidths">Width of each stage of the decoder.</param>
/// <param name="EncoderBlocks">Residual blocks in each stage of the encoder.</param>
/// <param name="DecoderBlocks">Residual blocks in each stage of the decoder.</param>
/// <param name="Activation">Activation between the convolutions of a block: relu, silu, swish or gelu.</param>
/// <param name="Upsampling">Upsampling factor between stages of the decoder.</param>
/// <param name="ScalingFactor">The pipeline's latents are the encoder's times this factor (1 in published models).</param>
public sealed record AutoencoderTinyConfig(
    int InChannels,
    int OutChannels,
    int LatentChannels,
    IReadOnlyList<int> EncoderWidths,
    IReadOnlyList<int> DecoderWidths,
    IReadOnlyList<int> EncoderBlocks,
    IReadOnlyList<int> DecoderBlocks,
    string Activation,
    int Upsampling,
    double ScalingFactor)
{
    /// <summary>Reads a configuration. Missing keys get the defaults of diffusers.</summary>
    /// <exception cref="ModelException">A value is malformed or not supported.</exception>
    public static AutoencoderTinyConfig From(JsonConfig json)
    {
        json.Choice("_class_name", "AutoencoderTiny", "AutoencoderTiny");
        json.Choice("upsample_fn", "nearest", "nearest");
        var encoderWidths = ReadWidths(json, "encoder_block_out_channels");
        var decoderWidths = ReadWidths(json, "decoder_block_out_channels");
        return new AutoencoderTinyConfig(
            json.Count("in_channels", 3),
            json.Count("out_channels", 3),
            json.Count("latent_channels", 4),
            encoderWidths,
            decoderWidths,
            ReadBlocks(json, "num_encoder_blocks", [1, 3, 3, 3], encoderWidths),
            ReadBlocks(json, "num_decoder_blocks", [3, 3, 3, 1], decoderWidths),
            json.Choice("act_fn", "relu", "relu", "silu", "swish", "gelu"),
            json.Count("upsampling_scaling_factor", 2, max: 4),
            json.Number("scaling_factor", 1) is var factor and > 0 ? factor : throw json.Wrong("scaling_factor", "above 0"));
    }

    // No layer changes the width, so all stages must have the same width.
    private static IReadOnlyList<int> ReadWidths(JsonConfig json, string key) =>
        json.Counts(key, [64, 64, 64, 64]) is var widths && widths.All(w => w == widths[0])
            ? widths
            : throw json.Wrong(key, $"the same width in each stage, but is [{string.Join(", ", widths)}]");

    private static IReadOnlyList<int> ReadBlocks(JsonConfig json, string key, int[] fallback, IReadOnlyList<int> widths) =>
        json.Counts(key, fallback, min: 0) is var blocks && blocks.Count == widths.Count
            ? blocks
            : throw json.Wrong(key, $"a list of {widths.Count} numbers, one for each stage, but has {blocks.Count}");
}

/// <summary>Stages of residual blocks; each stage after the first halves the size. The checkpoint numbers all layers in one list.</summary>
internal sealed class TinyEncoder
{
    private readonly List<Func<Tensor, Tensor>> _layers = [];

    public TinyEncoder(Weights layers, AutoencoderTinyConfig config)
    {
        foreach (var (stage, width) in config.EncoderWidths.Index())
        {
            var here = layers.At($"{_layers.Count}");
            _layers.Add(stage == 0
                ? new Conv2d(here, config.InChannels, width, kernel: 3, padding: 1).Forward
                : new Conv2d(here, width, width, kernel: 3, stride: 2, padding: 1, bias: false).Forward);
            for (var block = 0; block < config.EncoderBlocks[stage]; block++)
                _layers.Add(new TinyBlock(layers.At($"{_layers.Count}"), width, config.Activation).Forward);
        }

        var last = layers.At($"{_layers.Count}");
        _layers.Add(new Conv2d(last, config.EncoderWidths[^1], config.LatentChannels, kernel: 3, padding: 1).Forward);
    }

    /// <summary>An image from 0 to 1 to latents.</summary>
    public Tensor Forward(Tensor image, CancellationToken cancellation)
    {
        var x = ChannelsLast.Convert(image);
        foreach (var layer in _layers)
        {
            cancellation.ThrowIfCancellationRequested();
            x = x.Into(layer);
        }

        return x;
    }
}

/// <summary>
/// Stages of residual blocks, with upsampling and a convolution between them. The checkpoint numbers all layers in one list.
/// </summary>
internal sealed class TinyDecoder
{
    private readonly List<Func<Tensor, Tensor>> _layers = [];

    public TinyDecoder(Weights layers, AutoencoderTinyConfig config)
    {
        var widths = config.DecoderWidths;
        _layers.Add(new Conv2d(Next(), config.LatentChannels, widths[0], kernel: 3, padding: 1).Forward);
        var activation = InPlace.Activation(config.Activation);
        _layers.Add(x => activation(x.alias()));
        foreach (var (stage, width) in widths.Index())
        {
            for (var block = 0; block < config.DecoderBlocks[stage]; block++)
                _layers.Add(new TinyBlock(Next(), width, config.Activation).Forward);

            if (stage < widths.Count - 1 && config.Upsampling == 2)
            {
                // Does both steps at once; the placeholder keeps the numbering of the checkpoint.
                _layers.Add(x => x.alias());
                _layers.Add(new UpsampleConv2d(Next(), width, bias: false).Forward);
            }
            else if (stage < widths.Count - 1)
            {
                _layers.Add(x => ChannelsLast.UpsampleNearest(x, x.shape[2] * config.Upsampling, x.shape[3] * config.Upsampling));
                _layers.Add(new Conv2d(Next(), width, width, kernel: 3, padding: 1, bias: false).Forward);
            }
            else
                _layers.Add(new Conv2d(Next(), width, config.OutChannels, kernel: 3, padding: 1).Forward);
        }

        Weights Next() => layers.At($"{_layers.Count}");
    }

    /// <summary>Latents to an image from 0 to 1.</summary>
    public Tensor Forward(Tensor latents, CancellationToken cancellation)
    {
        // 3 tanh(x / 3) limits the latents to -3 … 3.
        var x = latents.Over(3).Into(t => t.tanh()).Into(t => t.Times(3)).Into(ChannelsLast.Convert);
        foreach (var layer in _layers)
        {
            cancellation.ThrowIfCancellationRequested();
            x = x.Into(layer);
        }

        return x;
    }
}

/// <summary>relu(x + three convolutions of x).</summary>
internal sealed class TinyBlock
{
    private readonly Conv2d[] _convs;
    private readonly Func<Tensor, Tensor> _activation;

    public TinyBlock(Weights weights, int width, string activation)
    {
        // The checkpoint numbers the activations 1 and 3.
        _convs = [.. new[] { 0, 2, 4 }.Select(i => new Conv2d(weights.At($"conv.{i}"), width, width, kernel: 3, padding: 1))];
        _activation = InPlace.Activation(activation);
    }

    public Tensor Forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        var hidden = _activation(_convs[0].Forward(x));
        hidden = _activation(_convs[1].Forward(hidden));
        return InPlace.Relu(InPlace.Add(_convs[2].Forward(hidden), x)).MoveToOuterDisposeScope();
    }
}
