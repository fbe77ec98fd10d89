namespace SaeUnbox.Models;

/// <summary>The config.json of an AutoencoderKL, of any depth and width.</summary>
/// <param name="InChannels">Channels of the image the encoder takes.</param>
/// <param name="OutChannels">Channels of the image the decoder makes.</param>
/// <param name="LatentChannels">Channels of the latents.</param>
/// <param name="BlockOutChannels">Width of every resolution, the finest first.</param>
/// <param name="LayersPerBlock">Residual blocks of every resolution in the encoder; the decoder has one more.</param>
/// <param name="NormGroups">Groups of every group norm.</param>
/// <param name="MidAttention">The middle block has self-attention.</param>
/// <param name="QuantConv">A 1x1 convolution follows the encoder.</param>
/// <param name="PostQuantConv">A 1x1 convolution precedes the decoder.</param>
/// <param name="ScalingFactor">Latents of the pipeline = encoder's latents * this.</param>
/// <param name="LatentsMean">Mean of every latent channel, where the pipeline's latents are normalised.</param>
/// <param name="LatentsStd">Standard deviation of every latent channel, ditto.</param>
/// <param name="ForceUpcast">The activations overflow in float16: decode in float32 there.</param>
/// <param name="SampleSize">Side of the images it was made for, in pixels; the side of a tile.</param>
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
    /// <summary>Reads a configuration; absent keys take diffusers' defaults.</summary>
    /// <exception cref="ModelException">A key is malformed or asks for something not supported here.</exception>
    public static AutoencoderKLConfig From(JsonConfig json)
    {
        json.Choice("_class_name", "AutoencoderKL", "AutoencoderKL");
        json.Choice("act_fn", "silu", "silu", "swish");
        var widths = json.Counts("block_out_channels", [64]);
        CheckBlockTypes(json, "down_block_types", "DownEncoderBlock2D", widths.Count);
        CheckBlockTypes(json, "up_block_types", "UpDecoderBlock2D", widths.Count);
        var groups = json.Count("norm_num_groups", 32);
        if (widths.FirstOrDefault(w => w % groups != 0) is var odd and not 0)
        {
            throw json.Wrong("block_out_channels", $"multiples of norm_num_groups {groups}, and holds {odd}");
        }

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
        {
            return null;
        }

        var values = json.Numbers(key);
        return values.Count == channels ? values : throw json.Wrong(key, $"a list of {channels} numbers, one a latent channel");
    }

    private static void CheckBlockTypes(JsonConfig json, string key, string type, int count)
    {
        var types = json.Texts(key, [.. Enumerable.Repeat(type, count)]);
        if (types.Count != count || types.Any(t => t != type))
        {
            throw json.Wrong(key, $"\"{type}\" {count} times, once for every entry of block_out_channels");
        }
    }
}
