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

    public int PixelsPerCell => Config.PixelsPerCell;

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
            return _decoder
                .Forward(cells, cancellation)
                .to_type(ScalarType.Float32)
                .MultiplyInPlace(2)
                .AddInPlace(-1)
                .MoveToOuterDisposeScope();
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
    /// <summary>Side of the image over side of the latents.</summary>
    public int PixelsPerCell => (int)Math.Pow(Upsampling, DecoderWidths.Count - 1);

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
        var tail = FirstOfTail(config);
        foreach (var (stage, width) in widths.Index())
        {
            for (var block = 0; block < config.DecoderBlocks[stage]; block++)
                _layers.Add(new TinyBlock(Next(), width, config.Activation).Forward);

            if (stage == tail)
            {
                _layers.Add(new TinyTail(layers, _layers.Count, widths.Count - 1 - stage, width, config.OutChannels).Forward);
                break;
            }

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

    // The stage whose blocks are the last ones, if stages without blocks follow it.
    private static int FirstOfTail(AutoencoderTinyConfig config)
    {
        var stage = Math.Max(0, config.DecoderBlocks.ToList().FindLastIndex(blocks => blocks > 0));
        return config.Upsampling == 2 && stage < config.DecoderBlocks.Count - 1 ? stage : -1;
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

/// <summary>
/// The layers behind the last residual block: upsampling and a convolution for each stage, and the convolution to colours. There is no
/// activation between them, so together they are one 3x3 convolution from a cell to its r x r pixels, which takes a fraction of the time.
/// The outermost cells are the exception, because each layer pads its own input with zeros; there the layers run one by one.
/// </summary>
internal sealed class TinyTail
{
    private readonly Weights _weights;
    private readonly Tensor[] _ups;
    private readonly Tensor _out;
    private readonly Tensor _bias;
    private readonly int _colors;
    private readonly int _side;
    private (Tensor Kernel, Tensor Bias)? _kept;

    /// <param name="layers">The weights of all layers of the decoder.</param>
    /// <param name="first">Number of the first layer.</param>
    /// <param name="stages">Number of upsamplings, at least 1.</param>
    public TinyTail(Weights layers, int first, int stages, int width, int colors)
    {
        // The checkpoint numbers upsamplings as well.
        _ups = [.. Enumerable.Range(0, stages).Select(stage => Kernel(first + 2 * stage + 1, width))];
        _out = Kernel(first + 2 * stages, colors);
        _bias = layers.At($"{first + 2 * stages}").Get("bias", colors);
        (_weights, _colors, _side) = (layers, colors, 1 << stages);

        Tensor Kernel(int layer, int outputs) => layers.At($"{layer}").GetChannelsLast("weight", outputs, width, 3, 3);
    }

    /// <summary>[B, C, h, w] to [B, colours, h r, w r].</summary>
    public Tensor Forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        if (x.shape[2] < 2 || x.shape[3] < 2)
            return OneByOne(x).MoveToOuterDisposeScope();
        var image = Inside(x);
        foreach (var axis in (int[])[2, 3])
        {
            var (batch, last) = (x.shape[0], x.shape[axis] - 1);
            var strips = cat([x.narrow(axis, 0, 2), x.narrow(axis, last - 1, 2)]);
            // Convolutions take longer for tall strips than for wide ones.
            var edges = axis == 2
                ? OneByOne(strips)
                : OneByOne(ChannelsLast.Convert(strips.transpose(2, 3)), isTurned: true).transpose(2, 3);
            image.narrow(axis, 0, _side).copy_(edges.narrow(0, 0, batch).narrow(axis, 0, _side));
            image.narrow(axis, last * _side, _side).copy_(edges.narrow(0, batch, batch).narrow(axis, _side, _side));
        }
        return image.MoveToOuterDisposeScope();
    }

    private Tensor Inside(Tensor x)
    {
        using var scope = NewDisposeScope();
        var (batch, height, width) = (x.shape[0], x.shape[2], x.shape[3]);
        // Weights change in training alone.
        var (kernel, bias) = is_grad_enabled() || _bias.requires_grad ? AsOne(x) : _kept ??= Keep(AsOne(x));
        var cells = Functional.Conv2d(x, kernel, bias, [1, 1], [1, 1]).permute(0, 2, 3, 1);
        var rows = cells.reshape(batch, height, width, _side, _side * _colors).transpose(2, 3);
        return rows.reshape(batch, height * _side, width * _side, _colors).permute(0, 3, 1, 2).MoveToOuterDisposeScope();

        (Tensor, Tensor) Keep((Tensor Kernel, Tensor Bias) one) => (_weights.Keep(one.Kernel), _weights.Keep(one.Bias));
    }

    /// <param name="isTurned">Rows and columns have changed places.</param>
    private Tensor OneByOne(Tensor x, bool isTurned = false)
    {
        using var scope = NewDisposeScope();
        foreach (var up in _ups)
            x = Convolve(ChannelsLast.UpsampleNearest(x, 2 * x.shape[2], 2 * x.shape[3]), up, null);
        return Convolve(x, _out, _bias).MoveToOuterDisposeScope();

        Tensor Convolve(Tensor input, Tensor kernel, Tensor? bias) =>
            Functional.Conv2d(input, isTurned ? kernel.transpose(2, 3) : kernel, bias, [1, 1], [1, 1]);
    }

    // The kernel [r r colours, C, 3, 3] is what the layers answer to a single 1 in each channel, which never reaches past the next cell;
    // the bias is what they answer to nothing.
    private (Tensor Kernel, Tensor Bias) AsOne(Tensor like)
    {
        using var scope = NewDisposeScope();
        var channels = like.shape[1];
        var impulses = nn.functional.pad(eye(channels, dtype: like.dtype, device: like.device), [0, 0, 0, 1]);
        var cells = ChannelsLast.Convert(nn.functional.pad(impulses.view(channels + 1, channels, 1, 1), [1, 1, 1, 1]));
        var answers = OneByOne(cells).reshape(channels + 1, _colors, 3, _side, 3, _side).permute(3, 5, 1, 0, 2, 4);
        var nothing = answers.narrow(3, channels, 1);
        // A kernel looks from the pixel to the cell, an answer from the cell to the pixel.
        var kernel = (answers.narrow(3, 0, channels) - nothing).flip(4, 5).reshape(-1, channels, 3, 3);
        return (ChannelsLast.Convert(kernel).MoveToOuterDisposeScope(),
            nothing.select(5, 0).select(4, 0).flatten().MoveToOuterDisposeScope());
    }
}
