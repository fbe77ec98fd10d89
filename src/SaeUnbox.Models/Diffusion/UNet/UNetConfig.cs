using System.Text.Json;

namespace SaeUnbox.Models;

/// <summary>One resolution of the U-Net. Its down block and its up block share these values.</summary>
/// <param name="Channels">Width of the hidden states.</param>
/// <param name="Layers">Residual blocks of the down block; the up block has one more.</param>
/// <param name="TransformerLayers">Basic blocks in each transformer; with 0, only its norm and projections remain.</param>
/// <param name="Heads">Attention heads; each is Channels / Heads wide.</param>
/// <param name="DownAttention">The down block has transformers.</param>
/// <param name="UpAttention">The up block has transformers.</param>
public sealed record UNetLevel(int Channels, int Layers, int TransformerLayers, int Heads, bool DownAttention, bool UpAttention);

/// <summary>What a U-Net adds to its time embedding beside the timestep: pooled text and sizes of the image, as SDXL has them.</summary>
/// <param name="TimeIdChannels">Width of the embedding of one time id (addition_time_embed_dim).</param>
/// <param name="Channels">Width of pooled text and embedded time ids together (projection_class_embeddings_input_dim).</param>
public sealed record UNetAddition(int TimeIdChannels, int Channels);

/// <summary>The config.json of a U-Net of Stable Diffusion.</summary>
/// <param name="InChannels">Channels of the input latents.</param>
/// <param name="OutChannels">Channels of the prediction.</param>
/// <param name="SampleSize">Side of the training latents.</param>
/// <param name="Levels">Resolutions, finest first. The middle block has the last one.</param>
/// <param name="NormGroups">Groups of each group norm.</param>
/// <param name="NormEps">Epsilon of the group norms in residual blocks and before the output.</param>
/// <param name="LinearProjection">The checkpoint stores the projections of transformers as linear layers, not as 1x1 convolutions.</param>
/// <param name="TextChannels">Width of the text states (cross_attention_dim).</param>
/// <param name="Addition">What is added to the time embedding; null for a U-Net that takes nothing but text.</param>
/// <param name="CosineFirst">Sinusoidal embeddings start with the cosines (flip_sin_to_cos).</param>
/// <param name="FrequencyShift">Subtracted from the number of frequencies in the exponent of a sinusoidal embedding (freq_shift).</param>
/// <param name="InKernel">Kernel size of the first convolution.</param>
/// <param name="OutKernel">Kernel size of the last convolution.</param>
/// <param name="UpcastAttention">Attention is computed in float32, whatever the type of the model (upcast_attention).</param>
public sealed record UNetConfig(
    int InChannels,
    int OutChannels,
    int SampleSize,
    IReadOnlyList<UNetLevel> Levels,
    int NormGroups,
    double NormEps,
    bool LinearProjection,
    int TextChannels,
    UNetAddition? Addition,
    bool CosineFirst,
    double FrequencyShift,
    int InKernel,
    int OutKernel,
    bool UpcastAttention = false)
{
    /// <summary>Width of the time embedding.</summary>
    public int TimeChannels => 4 * Levels[0].Channels;

    /// <summary>Reads a configuration. Missing keys get the defaults of diffusers.</summary>
    /// <exception cref="ModelException">A value is malformed or not supported.</exception>
    public static UNetConfig From(JsonConfig json)
    {
        RequireSupported(json);
        var levels = UNetLevels.Read(json);
        return new UNetConfig(
            json.Count("in_channels", 4),
            json.Count("out_channels", 4),
            json.Count("sample_size", 128, max: 1 << 14),
            levels,
            json.Count("norm_num_groups", 32),
            json.Number("norm_eps", 1e-5) is var eps and > 0 ? eps : throw json.Wrong("norm_eps", "above 0"),
            json.Flag("use_linear_projection", false),
            json.Count("cross_attention_dim", 1280),
            ReadAddition(json),
            json.Flag("flip_sin_to_cos", true),
            json.Number("freq_shift", 0),
            Kernel(json, "conv_in_kernel"),
            Kernel(json, "conv_out_kernel"),
            json.Flag("upcast_attention", false));
    }

    private static UNetAddition? ReadAddition(JsonConfig json)
    {
        const string key = "addition_embed_type", width = "projection_class_embeddings_input_dim";
        if (json.Find(key) is null)
            return null;
        json.Choice(key, "text_time", "text_time");
        var (timeIds, all) = (json.Count("addition_time_embed_dim"), json.Count(width));
        return all > timeIds
            ? new UNetAddition(timeIds, all)
            : throw json.Wrong(width, $"above addition_time_embed_dim {timeIds}, but is {all}");
    }

    private static int Kernel(JsonConfig json, string key) =>
        json.Count(key, 3, max: 31) is var side && side % 2 == 1 ? side : throw json.Wrong(key, $"odd, but is {side}");

    private static void RequireSupported(JsonConfig json)
    {
        json.Choice("_class_name", "UNet2DConditionModel", "UNet2DConditionModel");
        json.Choice("act_fn", "silu", "silu", "swish");
        json.Choice("attention_type", "default", "default");
        json.Choice("mid_block_type", "UNetMidBlock2DCrossAttn", "UNetMidBlock2DCrossAttn");
        json.Choice("resnet_time_scale_shift", "default", "default");
        json.Choice("time_embedding_type", "positional", "positional");
        foreach (var key in (string[])
        [
            "center_input_sample", "class_embed_type", "class_embeddings_concat", "cross_attention_norm", "dual_cross_attention",
            "encoder_hid_dim", "encoder_hid_dim_type", "mid_block_only_cross_attention", "num_class_embeds", "only_cross_attention",
            "resnet_skip_time_act", "reverse_transformer_layers_per_block", "time_cond_proj_dim", "time_embedding_act_fn",
            "time_embedding_dim", "timestep_post_act",
        ])
            json.MustBeOff(key);

        foreach (var key in (string[])["downsample_padding", "mid_block_scale_factor", "resnet_out_scale_factor"])
        {
            if (json.Number(key, 1) != 1)
                throw json.Wrong(key, "1; nothing else is supported");
        }
    }
}

/// <summary>Reads the entries of the configuration that have one value for each resolution.</summary>
internal static class UNetLevels
{
    public static IReadOnlyList<UNetLevel> Read(JsonConfig json)
    {
        var channels = json.Counts("block_out_channels", [320, 640, 1280, 1280]);
        var groups = json.Count("norm_num_groups", 32);
        if (channels.FirstOrDefault(c => c % groups != 0) is var odd and not 0)
            throw json.Wrong("block_out_channels", $"multiples of norm_num_groups {groups}, but contains {odd}");

        var down = Attention(json, "down_block_types", "DownBlock2D", "CrossAttnDownBlock2D", channels.Count);
        var up = Attention(json, "up_block_types", "UpBlock2D", "CrossAttnUpBlock2D", channels.Count);
        var layers = PerLevel(json, "layers_per_block", 2, channels.Count);
        var transformerLayers = PerLevel(json, "transformer_layers_per_block", 1, channels.Count, min: 0);
        // In configurations of Stable Diffusion, attention_head_dim holds the number of heads.
        var headsKey = json.Find("num_attention_heads") is null ? "attention_head_dim" : "num_attention_heads";
        var heads = PerLevel(json, headsKey, 8, channels.Count);

        return [.. channels.Select((width, i) => width % heads[i] == 0
            ? new UNetLevel(width, layers[i], transformerLayers[i], heads[i], down[i], up[^(i + 1)])
            : throw json.Wrong(headsKey, $"numbers of heads that divide block_out_channels, but {heads[i]} does not divide {width}"))];
    }

    private static bool[] Attention(JsonConfig json, string key, string plain, string attention, int count)
    {
        var types = json.Texts(key);
        if (types.Count != count)
            throw json.Wrong(key, $"a list of {count} block types, one for each entry of block_out_channels, but has {types.Count}");

        return [.. types.Select(type => type == attention || (type == plain
            ? false
            : throw json.Wrong(key, $"a list of {plain} and {attention}, but contains the unknown type \"{type}\"")))];
    }

    private static IReadOnlyList<int> PerLevel(JsonConfig json, string key, int fallback, int count, int min = 1)
    {
        if (json.Find(key) is not { ValueKind: JsonValueKind.Array })
            return [.. Enumerable.Repeat(json.Count(key, fallback, min), count)];

        var values = json.Counts(key, min: min);
        return values.Count == count
            ? values
            : throw json.Wrong(key, $"a number or a list of {count}, one for each entry of block_out_channels, but has {values.Count}");
    }
}
