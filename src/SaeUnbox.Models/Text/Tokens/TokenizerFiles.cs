using System.Globalization;
using System.Text.Json;

namespace SaeUnbox.Models;

/// <summary>Reads the files of a CLIP tokenizer and checks that they match.</summary>
internal sealed class TokenizerFiles
{
    // The number of merges of the published vocabulary. transformers never reads more.
    private const int MaxMerges = 49152 - 256 - 2;
    private const int DefaultLength = 77, MaxAllowedLength = 1 << 20, MaxFileBytes = 1 << 24;

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

    public static TokenizerFiles Read(string folder)
    {
        var vocabularyPath = Path.Combine(folder, "vocab.json");
        var ids = ReadVocabulary(vocabularyPath);
        var configPath = Path.Combine(folder, "tokenizer_config.json");
        var config = File.Exists(configPath) ? JsonConfig.Load(configPath) : JsonConfig.Parse("{}", configPath);
        var roles = SpecialRoles.Default.With(config);
        var mapPath = Path.Combine(folder, "special_tokens_map.json");
        // Folders from before 2023 name their special tokens in the map. The configuration has precedence.
        if (config.Find("added_tokens_decoder") is null && File.Exists(mapPath))
            roles = SpecialRoles.Default.With(JsonConfig.Load(mapPath)).With(config);

        var special = AddedTokens(config);
        foreach (var token in roles.All.Where(token => !special.ContainsKey(token)))
        {
            special[token] = ids.TryGetValue(token, out var id)
                ? id
                : throw new ModelException($"{vocabularyPath} lacks the special token {token}.");
        }

        var length = config.Number("model_max_length", DefaultLength);
        if (length is < 2 or > MaxAllowedLength || length != Math.Floor(length))
            throw config.Wrong("model_max_length", $"a whole number from 2 to {MaxAllowedLength}, but is {length}");
        return new TokenizerFiles(ids, special, roles, ReadMerges(Path.Combine(folder, "merges.txt")), (int)length);
    }

    private static Dictionary<string, int> ReadVocabulary(string path)
    {
        var ids = new Dictionary<string, int>();
        try
        {
            using var document = JsonDocument.Parse(TextFile.Read(path, MaxFileBytes));
            foreach (var entry in document.RootElement.EnumerateObject())
            {
                ids[entry.Name] = PlainNumber.TryWhole(entry.Value, out int id) && id >= 0
                    ? id
                    : throw new ModelException($"{path}: the id of the token {entry.Name} must be a whole number of at least 0.");
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new ModelException($"{path} is not a JSON object of tokens and ids: {e.Message}", e);
        }
        return ids.Count > 0 ? ids : throw new ModelException($"{path} contains no tokens.");
    }

    private static List<(string, string)> ReadMerges(string path)
    {
        var merges = new List<(string, string)>();
        // The first line is the version of the format.
        foreach (var line in TextFile.Read(path, MaxFileBytes).Trim().Split('\n').Skip(1).Take(MaxMerges))
        {
            merges.Add(line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries) is [var left, var right]
                ? (left, right)
                : throw new ModelException($"{path}: line {merges.Count + 2} must be two pieces separated by a space."));
        }
        return merges;
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
