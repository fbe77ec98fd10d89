using System.Text.Json;

namespace SaeUnbox.Models;

/// <summary>Which token begins, ends and pads a prompt, and stands for what the vocabulary lacks.</summary>
internal sealed record SpecialRoles(string Start, string End, string Pad, string Unknown)
{
    public static readonly SpecialRoles Default = new(WordSplitter.Start, WordSplitter.End, WordSplitter.End, WordSplitter.End);

    public IEnumerable<string> All => [Start, End, Pad, Unknown];

    /// <summary>These, less those that a tokenizer_config.json or special_tokens_map.json names otherwise.</summary>
    public SpecialRoles With(JsonConfig config) => new(
        Read(config, "bos_token", Start),
        Read(config, "eos_token", End),
        Read(config, "pad_token", Pad),
        Read(config, "unk_token", Unknown));

    /// <summary>A token's text, written as a string or as an object with its options.</summary>
    public static string? Content(JsonElement token) => token.ValueKind switch
    {
        JsonValueKind.String => token.GetString(),
        JsonValueKind.Object when token.TryGetProperty("content", out var content) && content.ValueKind == JsonValueKind.String
            => content.GetString(),
        _ => null,
    };

    private static string Read(JsonConfig config, string key, string fallback) => config.Find(key) is not { } value
        ? fallback
        : Content(value) is { Length: > 0 } token ? token : throw config.Wrong(key, "a token");
}
