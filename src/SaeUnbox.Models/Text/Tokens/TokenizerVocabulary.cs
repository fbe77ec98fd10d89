using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace SaeUnbox.Models;

/// <summary>The tokens and merges of a CLIP tokenizer.</summary>
/// <param name="Source">The file of the tokens, for errors.</param>
/// <param name="Ids">The id of each token.</param>
/// <param name="Merges">Pairs of pieces in order of rank.</param>
/// <param name="Added">Tokens that are matched literally; only tokenizer.json lists them.</param>
/// <param name="Unknown">The token for unknown pieces; only tokenizer.json names it.</param>
internal sealed record TokenizerVocabulary(
    string Source,
    IReadOnlyDictionary<string, int> Ids,
    IReadOnlyList<(string Left, string Right)> Merges,
    IReadOnlyDictionary<string, int> Added,
    string? Unknown)
{
    // The number of merges of the published vocabulary. transformers never reads more of merges.txt.
    private const int MaxMerges = 49152 - 256 - 2;
    private const int MaxFileBytes = 1 << 24;

    private static readonly Dictionary<string, int> None = [];

    /// <summary>Reads vocab.json and merges.txt; without them tokenizer.json, which is all that transformers 5 saves.</summary>
    /// <exception cref="ModelException">A file is missing, malformed, or of another kind of tokenizer.</exception>
    public static TokenizerVocabulary Read(string folder)
    {
        var (vocabulary, merges) = (Path.Combine(folder, "vocab.json"), Path.Combine(folder, "merges.txt"));
        var whole = Path.Combine(folder, "tokenizer.json");
        if (File.Exists(whole) && !(File.Exists(vocabulary) && File.Exists(merges)))
            return ReadWhole(whole);
        if (!File.Exists(vocabulary) && !File.Exists(merges))
            throw new ModelException($"{folder} holds no tokenizer: vocab.json and merges.txt are missing, and so is tokenizer.json.");
        var ids = Parse(vocabulary, root => ReadIds(root, vocabulary));
        return new TokenizerVocabulary(vocabulary, ids, ReadMergeLines(merges), None, null);
    }

    private static TokenizerVocabulary ReadWhole(string path) => Parse(path, root =>
    {
        var model = root.GetProperty("model");
        Require(model, path, "type", "BPE", "BPE");
        Require(model, path, "end_of_word_suffix", BytePairs.EndOfWord, "");
        Require(model, path, "continuing_subword_prefix", "", "");
        var added = new Dictionary<string, int>();
        if (root.TryGetProperty("added_tokens", out var tokens) && tokens.ValueKind != JsonValueKind.Null)
            foreach (var token in tokens.EnumerateArray())
                if (token.GetProperty("content").GetString() is { Length: > 0 } content)
                    added[content] = Id(token.GetProperty("id"), content, path);
        var unknown = model.TryGetProperty("unk_token", out var value) ? value.GetString() : null;
        return new TokenizerVocabulary(path, ReadIds(model.GetProperty("vocab"), path), ReadMerges(model, path), added, unknown);
    });

    /// <param name="absent">What a missing entry means.</param>
    private static void Require(JsonElement model, string path, string key, string needed, string absent)
    {
        var text = model.TryGetProperty(key, out var value) && value.ValueKind != JsonValueKind.Null ? value.GetString() : absent;
        if (text != needed)
            throw new ModelException($"{path} is not a tokenizer of CLIP: its {key} is \"{text}\" instead of \"{needed}\".");
    }

    /// <summary>Merges are texts ("a b") or, in later versions, pairs (["a", "b"]).</summary>
    private static List<(string, string)> ReadMerges(JsonElement model, string path)
    {
        var merges = new List<(string, string)>();
        foreach (var merge in model.GetProperty("merges").EnumerateArray())
        {
            string[] pieces = merge.ValueKind == JsonValueKind.Array
                ? [.. merge.EnumerateArray().Select(piece => piece.GetString() ?? "")]
                : (merge.GetString() ?? "").Split(' ');
            merges.Add(pieces is [{ Length: > 0 } left, { Length: > 0 } right]
                ? (left, right)
                : throw new ModelException($"{path}: merge {merges.Count + 1} must be two pieces, as a pair or as a text with a space."));
        }
        return merges;
    }

    private static List<(string, string)> ReadMergeLines(string path)
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

    private static Dictionary<string, int> ReadIds(JsonElement vocabulary, string path)
    {
        var ids = new Dictionary<string, int>();
        foreach (var entry in vocabulary.EnumerateObject())
            ids[entry.Name] = Id(entry.Value, entry.Name, path);
        return ids.Count > 0 ? ids : throw new ModelException($"{path} contains no tokens.");
    }

    private static int Id(JsonElement value, string token, string path) => PlainNumber.TryWhole(value, out int id) && id >= 0
        ? id
        : throw new ModelException($"{path}: the id of the token {token} must be a whole number of at least 0.");

    private static T Parse<T>(string path, Func<JsonElement, T> read)
    {
        try
        {
            using var document = JsonDocument.Parse(TextFile.Read(path, MaxFileBytes));
            return read(document.RootElement);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            throw new ModelException($"{path} is not a JSON object of a tokenizer: {e.Message}", e);
        }
    }
}

/// <summary>
/// The vocabulary of CLIP (arXiv 2103.00020), which all text encoders of Stable Diffusion share. Its ids follow from its merges: 256 bytes,
/// the same at the end of a word, one for each merge, then the start and end token.
/// </summary>
internal static class ClipVocabulary
{
    private const int Length = 77;

    /// <summary>The published vocabulary of 49,408 ids, with padding by the end token.</summary>
    public static TokenizerFiles Read() => Of(Merges(Text()));

    /// <summary>The table of merges as it was published, for <c>merges.txt</c>.</summary>
    public static string Text()
    {
        using var stream = typeof(ClipVocabulary).Assembly.GetManifestResourceStream("clip-merges.txt")
            ?? throw new InvalidOperationException("The resource clip-merges.txt is missing.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    /// <summary>All tokens in the order of their ids.</summary>
    public static IEnumerable<string> Tokens(IReadOnlyList<(string Left, string Right)> merges) =>
    [
        .. ByteAlphabet.InOrder.Select(symbol => $"{symbol}"),
        .. ByteAlphabet.InOrder.Select(symbol => symbol + BytePairs.EndOfWord),
        .. merges.Select(merge => merge.Left + merge.Right),
        WordSplitter.Start, WordSplitter.End,
    ];

    public static TokenizerFiles Of(IReadOnlyList<(string Left, string Right)> merges)
    {
        var ids = Tokens(merges).Index().ToDictionary(token => token.Item, token => token.Index);
        var special =
            new Dictionary<string, int> { [WordSplitter.Start] = ids[WordSplitter.Start], [WordSplitter.End] = ids[WordSplitter.End] };
        return new TokenizerFiles(ids, special, SpecialRoles.Default, merges, Length);
    }

    /// <summary>The pairs of a table of merges. Its first line is the version of the format.</summary>
    public static List<(string Left, string Right)> Merges(string text) =>
        [.. text.Trim().Split('\n').Skip(1).Select(line => line.Trim().Split(' ') is [var left, var right]
            ? (left, right) : throw new InvalidOperationException($"The resource clip-merges.txt has the line '{line}'."))];
}

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
