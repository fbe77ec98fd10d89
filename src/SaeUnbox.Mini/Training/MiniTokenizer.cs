using System.Text;
using System.Text.Json;
using SaeUnbox.Mini.Scenes;

namespace SaeUnbox.Mini.Training;

/// <summary>
/// A tokenizer of CLIP's format for the grammar's words: every byte and every byte that ends a word is a token, as in CLIP, and so is
/// every word of the grammar; any other word falls into bytes and pairs.
/// </summary>
internal sealed class MiniTokenizer
{
    private const string EndOfWord = "</w>", Start = "<|startoftext|>", End = "<|endoftext|>";
    private readonly OrderedDictionary<(string Left, string Right), int> _merges = [];
    private readonly Dictionary<string, int> _vocabulary = [];

    public MiniTokenizer(IEnumerable<string> phrases)
    {
        var symbols = ByteSymbols();
        foreach (var symbol in symbols)
            Add(symbol);
        foreach (var symbol in symbols)
            Add(symbol + EndOfWord);
        foreach (var word in phrases.SelectMany(phrase => phrase.Split(' ')).Where(word => word.Length > 1).Distinct().Order(StringComparer.Ordinal))
            MergeWord(word);
        Add(Start);
        Add(End);
    }

    public static MiniTokenizer OfGrammar() => new(CaptionGrammar.Phrases);

    public int Count => _vocabulary.Count;

    public int StartId => _vocabulary[Start];

    public int EndId => _vocabulary[End];

    /// <summary>Writes vocab.json, merges.txt, tokenizer_config.json and special_tokens_map.json.</summary>
    public void Write(string folder, string padToken)
    {
        Directory.CreateDirectory(folder);
        AtomicFile.WriteAllText(Path.Combine(folder, "vocab.json"), JsonSerializer.Serialize(_vocabulary));
        AtomicFile.WriteAllText(Path.Combine(folder, "merges.txt"), string.Join('\n', _merges.Keys.Select(pair => $"{pair.Left} {pair.Right}").Prepend("#version: 0.2")) + "\n");
        var special = new Dictionary<string, object>
        {
            ["bos_token"] = Start, ["eos_token"] = End, ["unk_token"] = End, ["pad_token"] = padToken,
        };
        AtomicFile.WriteAllText(Path.Combine(folder, "special_tokens_map.json"), JsonSerializer.Serialize(special));
        special["tokenizer_class"] = "CLIPTokenizer";
        special["model_max_length"] = MiniConfigurations.Positions;
        AtomicFile.WriteAllText(Path.Combine(folder, "tokenizer_config.json"), JsonSerializer.Serialize(special));
    }

    public static string FirstPad => End;

    /// <summary>The token of id 0, as SDXL's second tokenizer pads.</summary>
    public static string SecondPad => "!";

    // What the merges so far leave of the word is merged from the left. New merges come last, so words made before stay whole.
    private void MergeWord(string word)
    {
        for (var parts = Split(word); parts.Count > 1; parts = Split(word))
        {
            _merges.Add((parts[0], parts[1]), _merges.Count);
            Add(parts[0] + parts[1]);
        }
    }

    /// <summary>Byte pair encoding: the pair of the earliest merge first, everywhere in the word.</summary>
    private List<string> Split(string word)
    {
        var parts = word.Select(letter => letter.ToString()).ToList();
        parts[^1] += EndOfWord;
        while (true)
        {
            var pairs = parts.Zip(parts.Skip(1)).Where(_merges.ContainsKey).ToList();
            if (pairs.Count == 0)
                return parts;
            var best = pairs.MinBy(pair => _merges[pair]);
            for (var i = 0; i + 1 < parts.Count; i++)
                if ((parts[i], parts[i + 1]) == best)
                {
                    parts[i] += parts[i + 1];
                    parts.RemoveAt(i + 1);
                }
        }
    }

    private void Add(string token) => _vocabulary.TryAdd(token, _vocabulary.Count);

    /// <summary>GPT-2's printable stand-ins for the 256 bytes, in the order of CLIP's vocabulary: printable ones first.</summary>
    private static IReadOnlyList<string> ByteSymbols()
    {
        var printable = Enumerable.Range('!', '~' - '!' + 1).Concat(Enumerable.Range('¡', '¬' - '¡' + 1)).Concat(Enumerable.Range('®', 'ÿ' - '®' + 1)).ToArray();
        var others = Enumerable.Range(0, 256 - printable.Length).Select(i => 256 + i);
        return [.. printable.Concat(others).Select(code => new Rune(code).ToString())];
    }
}
