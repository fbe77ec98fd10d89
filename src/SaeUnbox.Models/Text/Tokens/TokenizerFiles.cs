using System.Globalization;
using System.Text.Json;

namespace SaeUnbox.Models;

/// <summary>The files of a CLIP tokenizer's folder, checked against each other.</summary>
internal sealed class TokenizerFiles
{
    // The published vocabulary's number of merges; the reference never reads more of the file, whatever the vocabulary.
    private const int MostMerges = 49152 - 256 - 2;
    private const int DefaultLength = 77, LongestLength = 1 << 20, LargestFile = 1 << 24;

    private readonly Dictionary<string, int> _ids;
    private readonly int _unknownId;

    private TokenizerFiles(
        Dictionary<string, int> ids,
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

    /// <summary>Tokens that are found in a text as they are written, before anything else.</summary>
    public IReadOnlyDictionary<string, int> Special { get; }

    public IReadOnlyList<(string Left, string Right)> Merges { get; }

    public int MaxLength { get; }

    public int StartId { get; }

    public int EndId { get; }

    public int PadId { get; }

    public int VocabularySize { get; }

    /// <summary>The id of a piece; of the unknown token where the vocabulary lacks it.</summary>
    public int IdOf(string piece) => Special.TryGetValue(piece, out var id) || _ids.TryGetValue(piece, out id) ? id : _unknownId;

    public static TokenizerFiles Read(string folder)
    {
        var vocabularyPath = Path.Combine(folder, "vocab.json");
        var ids = ReadVocabulary(vocabularyPath);
        var configPath = Path.Combine(folder, "tokenizer_config.json");
        var config = File.Exists(configPath) ? JsonConfig.Load(configPath) : JsonConfig.Parse("{}", configPath);
        var roles = SpecialRoles.Default.With(config);
        var mapPath = Path.Combine(folder, "special_tokens_map.json");
        // Folders of before 2023 list their special tokens in the map; where both do, the configuration holds.
        if (config.Find("added_tokens_decoder") is null && File.Exists(mapPath))
        {
            roles = SpecialRoles.Default.With(JsonConfig.Load(mapPath)).With(config);
        }

        var special = AddedTokens(config);
        foreach (var token in roles.All.Where(token => !special.ContainsKey(token)))
        {
            special[token] = ids.TryGetValue(token, out var id)
                ? id
                : throw new ModelException($"{vocabularyPath} lacks the special token {token}.");
        }

        var length = config.Number("model_max_length", DefaultLength);
        if (length is < 2 or > LongestLength || length != Math.Floor(length))
        {
            throw config.Wrong("model_max_length", $"a whole number from 2 to {LongestLength}, and is {length}");
        }
        return new TokenizerFiles(ids, special, roles, ReadMerges(Path.Combine(folder, "merges.txt")), (int)length);
    }

    private static Dictionary<string, int> ReadVocabulary(string path)
    {
        var ids = new Dictionary<string, int>();
        try
        {
            using var document = JsonDocument.Parse(TextFile.Read(path, LargestFile));
            foreach (var entry in document.RootElement.EnumerateObject())
            {
                ids[entry.Name] = entry.Value.TryGetInt32(out var id) && id >= 0
                    ? id
                    : throw new ModelException($"{path}: the id of the token {entry.Name} must be a whole number of at least 0.");
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new ModelException($"{path} must hold a JSON object of tokens and their ids: {e.Message}", e);
        }
        return ids.Count > 0 ? ids : throw new ModelException($"{path} holds no tokens.");
    }

    private static List<(string, string)> ReadMerges(string path)
    {
        var merges = new List<(string, string)>();
        // The first line names the format's version.
        foreach (var line in TextFile.Read(path, LargestFile).Trim().Split('\n').Skip(1).Take(MostMerges))
        {
            merges.Add(line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries) is [var left, var right]
                ? (left, right)
                : throw new ModelException($"{path}: line {merges.Count + 2} must hold two pieces with a space between them."));
        }
        return merges;
    }

    private static Dictionary<string, int> AddedTokens(JsonConfig config)
    {
        const string key = "added_tokens_decoder";
        var tokens = new Dictionary<string, int>();
        if (config.Find(key) is not { } added) return tokens;
        if (added.ValueKind != JsonValueKind.Object) throw config.Wrong(key, "an object of tokens by id");
        foreach (var entry in added.EnumerateObject())
        {
            if (!int.TryParse(entry.Name, NumberStyles.None, CultureInfo.InvariantCulture, out var id) || SpecialRoles.Content(entry.Value) is not { Length: > 0 } token)
            {
                throw config.Wrong(key, $"an object of tokens by id, and has the entry {entry.Name}");
            }
            tokens[token] = id;
        }
        return tokens;
    }
}

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

/// <summary>The text tables embedded in this assembly; lines that begin with # explain them.</summary>
internal static class TextResource
{
    public static IEnumerable<string> Lines(string name)
    {
        using var stream = typeof(TextResource).Assembly.GetManifestResourceStream(name)
            ?? throw new InvalidOperationException($"The table {name} is missing from {typeof(TextResource).Assembly.GetName().Name}.");
        using var reader = new StreamReader(stream);
        while (reader.ReadLine() is { } line)
        {
            if (line.Length > 0 && line[0] != '#') yield return line;
        }
    }
}
