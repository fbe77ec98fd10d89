using System.Text.Json;

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
