using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace SaeUnbox.Models;

/// <summary>Reads the files of a CLIP tokenizer and checks that they match.</summary>
internal sealed class TokenizerFiles
{
    private const int DefaultLength = 77, MaxAllowedLength = 1 << 20;

    private readonly IReadOnlyDictionary<string, int> _ids;
    private readonly int _unknownId;

    internal TokenizerFiles(
        IReadOnlyDictionary<string, int> ids,
        Dictionary<string, int> special,
        SpecialRoles roles,
        IReadOnlyList<(string, string)> merges,
        int maxLength)
    {
        _ids = ids;
        Special = special;
        Merges = merges;
        MaxLength = maxLength;
        (StartId, EndId, PadId, _unknownId) = (special[roles.Start], special[roles.End], special[roles.Pad], special[roles.Unknown]);
        VocabularySize = 1 + ids.Values.Concat(special.Values).Max();
    }

    private TokenizerFiles(TokenizerFiles other, string pad)
    {
        (_ids, _unknownId, Merges, MaxLength) = (other._ids, other._unknownId, other.Merges, other.MaxLength);
        (StartId, EndId, VocabularySize) = (other.StartId, other.EndId, other.VocabularySize);
        PadId = other.FindId(pad);
        Special = new Dictionary<string, int>(other.Special) { [pad] = PadId };
    }

    /// <summary>Tokens that are matched literally before the text is cleaned and split.</summary>
    public IReadOnlyDictionary<string, int> Special { get; }

    public IReadOnlyList<(string Left, string Right)> Merges { get; }

    public int MaxLength { get; }

    public int StartId { get; }

    public int EndId { get; }

    public int PadId { get; }

    public int VocabularySize { get; }

    /// <summary>The id of a piece, or that of the unknown token if the vocabulary lacks it.</summary>
    public int FindId(string piece) => Special.TryGetValue(piece, out var id) || _ids.TryGetValue(piece, out id) ? id : _unknownId;

    /// <summary>The same vocabulary with another padding token, which it must have.</summary>
    public TokenizerFiles PaddedWith(string token) => new(this, token);

    public bool IsSameAs(TokenizerFiles other) =>
        (StartId, EndId, PadId, MaxLength) == (other.StartId, other.EndId, other.PadId, other.MaxLength)
        && _ids.Count == other._ids.Count && !_ids.Except(other._ids).Any() && Merges.SequenceEqual(other.Merges);

    /// <summary>Reads vocab.json and merges.txt, or tokenizer.json where they are missing, and the settings beside them.</summary>
    public static TokenizerFiles Read(string folder)
    {
        var vocabulary = TokenizerVocabulary.Read(folder);
        var configPath = Path.Combine(folder, "tokenizer_config.json");
        var config = File.Exists(configPath) ? JsonConfig.Load(configPath) : JsonConfig.Parse("{}", configPath);
        var roles = SpecialRoles.Default;
        if (vocabulary.Unknown is { } unknown)
            roles = roles with { Unknown = unknown };
        var mapPath = Path.Combine(folder, "special_tokens_map.json");
        // Folders from before 2023 name their special tokens in the map. The configuration has precedence.
        if (config.Find("added_tokens_decoder") is null && File.Exists(mapPath))
            roles = roles.With(JsonConfig.Load(mapPath));
        roles = roles.With(config);

        var special = new Dictionary<string, int>(vocabulary.Added);
        foreach (var (token, id) in AddedTokens(config))
            special[token] = id;
        foreach (var token in roles.All.Where(token => !special.ContainsKey(token)))
        {
            special[token] = vocabulary.Ids.TryGetValue(token, out var id)
                ? id
                : throw new ModelException($"{vocabulary.Source} lacks the special token {token}.");
        }

        var length = config.Number("model_max_length", DefaultLength);
        if (length is < 2 or > MaxAllowedLength || length != Math.Floor(length))
            throw config.Wrong("model_max_length", $"a whole number from 2 to {MaxAllowedLength}, but is {length}");
        return new TokenizerFiles(vocabulary.Ids, special, roles, vocabulary.Merges, (int)length);
    }

    /// <summary>Writes the files that <see cref="Read"/> reads.</summary>
    public void Write(string folder)
    {
        var vocabulary =
            new JsonObject(_ids.OrderBy(pair => pair.Value).Select(pair => KeyValuePair.Create(pair.Key, (JsonNode?)pair.Value)));
        var config = new JsonObject
        {
            ["added_tokens_decoder"] = new JsonObject(Special.OrderBy(pair => pair.Value).Select(pair =>
                KeyValuePair.Create($"{pair.Value}", (JsonNode?)new JsonObject { ["content"] = pair.Key, ["special"] = true }))),
            ["bos_token"] = NameOf(StartId),
            ["eos_token"] = NameOf(EndId),
            ["model_max_length"] = MaxLength,
            ["pad_token"] = NameOf(PadId),
            ["tokenizer_class"] = "CLIPTokenizer",
            ["unk_token"] = NameOf(_unknownId),
        };
        AtomicFile.WriteAllText(Path.Combine(folder, "vocab.json"), vocabulary.ToJsonString(JsonFile.Plain));
        AtomicFile.WriteAllText(
            Path.Combine(folder, "merges.txt"), $"#version: 0.2\n{string.Concat(Merges.Select(merge => $"{merge.Left} {merge.Right}\n"))}");
        AtomicFile.WriteAllText(Path.Combine(folder, "tokenizer_config.json"), config.ToJsonString(JsonFile.Indented));

        string NameOf(int id) => Special.First(pair => pair.Value == id).Key;
    }

    private static Dictionary<string, int> AddedTokens(JsonConfig config)
    {
        const string key = "added_tokens_decoder";
        var tokens = new Dictionary<string, int>();
        if (config.Find(key) is not { } added)
            return tokens;
        if (added.ValueKind != JsonValueKind.Object)
            throw config.Wrong(key, "an object that maps ids to tokens");
        foreach (var entry in added.EnumerateObject())
        {
            if (!int.TryParse(entry.Name, NumberStyles.None, CultureInfo.InvariantCulture, out var id)
                || SpecialRoles.Content(entry.Value) is not { Length: > 0 } token)
                throw config.Wrong(key, $"an object that maps ids to tokens, but has the entry {entry.Name}");
            tokens[token] = id;
        }
        return tokens;
    }
}

/// <summary>The tokens that start, end and pad a prompt, and the token for unknown pieces.</summary>
internal sealed record SpecialRoles(string Start, string End, string Pad, string Unknown)
{
    public static readonly SpecialRoles Default = new(WordSplitter.Start, WordSplitter.End, WordSplitter.End, WordSplitter.End);

    public IEnumerable<string> All => [Start, End, Pad, Unknown];

    /// <summary>Replaces the tokens that a tokenizer_config.json or special_tokens_map.json names.</summary>
    public SpecialRoles With(JsonConfig config) => new(
        Read(config, "bos_token", Start),
        Read(config, "eos_token", End),
        Read(config, "pad_token", Pad),
        Read(config, "unk_token", Unknown));

    /// <summary>The text of a token, which is a string or an object with options.</summary>
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

/// <summary>Reads tables embedded in this assembly. Lines that start with # are comments.</summary>
internal static class TextResource
{
    public static IEnumerable<string> Lines(string name)
    {
        using var stream = typeof(TextResource).Assembly.GetManifestResourceStream(name)
            ?? throw new InvalidOperationException($"The resource {name} is missing from {typeof(TextResource).Assembly.GetName().Name}.");
        using var reader = new StreamReader(stream);
        while (reader.ReadLine() is { } line)
        {
            if (line.Length > 0 && line[0] != '#')
                yield return line;
        }
    }
}
