namespace SaeUnbox.Models;

/// <summary>The config.json of an AutoencoderTiny (TAESD), of any depth and width.</summary>
/// <param name="InChannels">Channels of the image the encoder takes.</param>
/// <param name="OutChannels">Channels of the image the decoder makes.</param>
/// <param name="LatentChannels">Channels of the latents.</param>
/// <param name="EncoderWidths">Width of every stage of the encoder.</param>
/// <param name="DecoderWidths">Width of every stage of the decoder.</param>
/// <param name="EncoderBlocks">Residual blocks of every stage of the encoder.</param>
/// <param name="DecoderBlocks">Residual blocks of every stage of the decoder.</param>
/// <param name="Activation">Between the convolutions of a block: relu, silu or gelu.</param>
/// <param name="Upsampling">How much larger a stage of the decoder is than the one before.</param>
/// <param name="ScalingFactor">Latents of the pipeline = encoder's latents * this (1 in the published ones).</param>
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
    /// <summary>Reads a configuration; absent keys take diffusers' defaults.</summary>
    /// <exception cref="ModelException">A key is malformed or asks for something not supported here.</exception>
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
            json.Count("upsampling_scaling_factor", 2, most: 4),
            json.Number("scaling_factor", 1) is var factor and > 0 ? factor : throw json.Wrong("scaling_factor", "above 0"));
    }

    // A stage changes no width, so the stages of one side are all as wide as each other.
    private static IReadOnlyList<int> ReadWidths(JsonConfig json, string key) =>
        json.Counts(key, [64, 64, 64, 64]) is var widths && widths.All(w => w == widths[0])
            ? widths
            : throw json.Wrong(key, $"the same width in every stage, and is [{string.Join(", ", widths)}]");

    private static IReadOnlyList<int> ReadBlocks(JsonConfig json, string key, int[] fallback, IReadOnlyList<int> widths) =>
        json.Counts(key, fallback, least: 0) is var blocks && blocks.Count == widths.Count
            ? blocks
            : throw json.Wrong(key, $"a list of {widths.Count} numbers, one a stage, and holds {blocks.Count}");
}
