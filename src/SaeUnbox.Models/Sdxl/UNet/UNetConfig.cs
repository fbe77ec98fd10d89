using System.Text.Json;

namespace SaeUnbox.Models;

/// <summary>One resolution of the U-Net, as its down block and its up block share it.</summary>
/// <param name="Channels">Width of the level.</param>
/// <param name="Layers">Residual blocks of the down block; the up block has one more.</param>
/// <param name="TransformerLayers">Basic blocks of every transformer; with 0 its norm and projections remain.</param>
/// <param name="Heads">Attention heads; a head is Channels / Heads wide.</param>
/// <param name="DownAttention">The down block has transformers.</param>
/// <param name="UpAttention">The up block has transformers.</param>
public sealed record UNetLevel(int Channels, int Layers, int TransformerLayers, int Heads, bool DownAttention, bool UpAttention);

/// <summary>The config.json of an SDXL U-Net, of any depth and width.</summary>
/// <param name="InChannels">Channels of the latents that go in.</param>
/// <param name="OutChannels">Channels of the prediction.</param>
/// <param name="SampleSize">Side of the latents it was made for.</param>
/// <param name="Levels">Resolutions, the finest first; the middle block works at the last one.</param>
/// <param name="NormGroups">Groups of every group norm.</param>
/// <param name="NormEps">Added to the variance in the norms of residual blocks and of the output.</param>
/// <param name="LinearProjection">Transformers project with linear layers, not with 1x1 convolutions.</param>
/// <param name="TextChannels">Width of the text's hidden states (cross_attention_dim).</param>
/// <param name="TimeIdChannels">Width of the sinusoid of one time id (addition_time_embed_dim).</param>
/// <param name="AdditionChannels">Width of the pooled text and all time ids together (projection_class_embeddings_input_dim).</param>
/// <param name="CosineFirst">Sinusoids hold their cosines first (flip_sin_to_cos).</param>
/// <param name="FrequencyShift">Taken from the number of frequencies that their spacing is divided by (freq_shift).</param>
/// <param name="InKernel">Side of the first convolution.</param>
/// <param name="OutKernel">Side of the last convolution.</param>
public sealed record UNetConfig(
    int InChannels,
    int OutChannels,
    int SampleSize,
    IReadOnlyList<UNetLevel> Levels,
    int NormGroups,
    double NormEps,
    bool LinearProjection,
    int TextChannels,
    int TimeIdChannels,
    int AdditionChannels,
    bool CosineFirst,
    double FrequencyShift,
    int InKernel,
    int OutKernel)
{
    /// <summary>Width of the time embedding.</summary>
    public int TimeChannels => 4 * Levels[0].Channels;

    /// <summary>Reads a configuration; absent keys take diffusers' defaults.</summary>
    /// <exception cref="ModelException">A key is malformed or asks for something not supported here.</exception>
    public static UNetConfig From(JsonConfig json)
    {
        RefuseWhatIsNotThere(json);
        var levels = UNetLevels.Read(json);
        var timeIdChannels = json.Count("addition_time_embed_dim");
        var additionChannels = json.Count("projection_class_embeddings_input_dim");
        if (additionChannels <= timeIdChannels)
        {
            throw json.Wrong("projection_class_embeddings_input_dim", $"above addition_time_embed_dim {timeIdChannels}, and is {additionChannels}");
        }

        return new UNetConfig(
            json.Count("in_channels", 4),
            json.Count("out_channels", 4),
            json.Count("sample_size", 128, most: 1 << 14),
            levels,
            json.Count("norm_num_groups", 32),
            json.Number("norm_eps", 1e-5) is var eps and > 0 ? eps : throw json.Wrong("norm_eps", "above 0"),
            json.Flag("use_linear_projection", false),
            json.Count("cross_attention_dim", 1280),
            timeIdChannels,
            additionChannels,
            json.Flag("flip_sin_to_cos", true),
            json.Number("freq_shift", 0),
            Kernel(json, "conv_in_kernel"),
            Kernel(json, "conv_out_kernel"));
    }

    private static int Kernel(JsonConfig json, string key) =>
        json.Count(key, 3, most: 31) is var side && side % 2 == 1 ? side : throw json.Wrong(key, $"odd, and is {side}");

    private static void RefuseWhatIsNotThere(JsonConfig json)
    {
        json.Choice("_class_name", "UNet2DConditionModel", "UNet2DConditionModel");
        json.Choice("act_fn", "silu", "silu", "swish");
        json.Choice("addition_embed_type", "", "text_time");
        json.Choice("attention_type", "default", "default");
        json.Choice("mid_block_type", "UNetMidBlock2DCrossAttn", "UNetMidBlock2DCrossAttn");
        json.Choice("resnet_time_scale_shift", "default", "default");
        json.Choice("time_embedding_type", "positional", "positional");
        foreach (var key in (string[])
        [
            "center_input_sample", "class_embed_type", "class_embeddings_concat", "cross_attention_norm", "dual_cross_attention",
            "encoder_hid_dim", "encoder_hid_dim_type", "mid_block_only_cross_attention", "num_class_embeds", "only_cross_attention",
            "resnet_skip_time_act", "reverse_transformer_layers_per_block", "time_cond_proj_dim", "time_embedding_act_fn",
            "time_embedding_dim", "timestep_post_act", "upcast_attention",
        ])
        {
            json.MustBeOff(key);
        }

        foreach (var key in (string[])["downsample_padding", "mid_block_scale_factor", "resnet_out_scale_factor"])
        {
            if (json.Number(key, 1) != 1)
            {
                throw json.Wrong(key, "1; nothing else is supported");
            }
        }
    }
}

/// <summary>Reads the entries of a U-Net's configuration that are given per resolution.</summary>
internal static class UNetLevels
{
    public static IReadOnlyList<UNetLevel> Read(JsonConfig json)
    {
        var channels = json.Counts("block_out_channels", [320, 640, 1280, 1280]);
        var groups = json.Count("norm_num_groups", 32);
        if (channels.FirstOrDefault(c => c % groups != 0) is var odd and not 0)
        {
            throw json.Wrong("block_out_channels", $"multiples of norm_num_groups {groups}, and holds {odd}");
        }

        var down = Attention(json, "down_block_types", "DownBlock2D", "CrossAttnDownBlock2D", channels.Count);
        var up = Attention(json, "up_block_types", "UpBlock2D", "CrossAttnUpBlock2D", channels.Count);
        var layers = PerLevel(json, "layers_per_block", 2, channels.Count);
        var transformerLayers = PerLevel(json, "transformer_layers_per_block", 1, channels.Count, least: 0);
        // The library's known misnomer: attention_head_dim holds the number of heads.
        var headsKey = json.Find("num_attention_heads") is null ? "attention_head_dim" : "num_attention_heads";
        var heads = PerLevel(json, headsKey, 8, channels.Count);

        return [.. channels.Select((width, i) => width % heads[i] == 0
            ? new UNetLevel(width, layers[i], transformerLayers[i], heads[i], down[i], up[^(i + 1)])
            : throw json.Wrong(headsKey, $"numbers of heads that divide block_out_channels, and {heads[i]} does not divide {width}"))];
    }

    private static bool[] Attention(JsonConfig json, string key, string plain, string attention, int count)
    {
        var types = json.Texts(key);
        if (types.Count != count)
        {
            throw json.Wrong(key, $"a list of {count} block types, one for every entry of block_out_channels, and has {types.Count}");
        }

        return [.. types.Select(type => type == attention || (type == plain
            ? false
            : throw json.Wrong(key, $"a list of {plain} and {attention}, and holds the unknown type \"{type}\"")))];
    }

    private static IReadOnlyList<int> PerLevel(JsonConfig json, string key, int fallback, int count, int least = 1)
    {
        if (json.Find(key) is not { ValueKind: JsonValueKind.Array })
        {
            return [.. Enumerable.Repeat(json.Count(key, fallback, least), count)];
        }

        var values = json.Counts(key, least: least);
        return values.Count == count
            ? values
            : throw json.Wrong(key, $"a number or a list of {count}, one for every entry of block_out_channels, and has {values.Count}");
    }
}
