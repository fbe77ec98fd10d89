using System.Text.Json;

namespace SaeUnbox.Models;

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
