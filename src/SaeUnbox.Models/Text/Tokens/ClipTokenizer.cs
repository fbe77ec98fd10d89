using System.Text;

namespace SaeUnbox.Models;

/// <summary>
/// CLIP's tokenizer: special tokens are found as written, the text between them is cleaned, split into words and each word into
/// byte pairs. Gives the ids of transformers' CLIPTokenizer (the slow one, which diffusers' pipelines name).
/// </summary>
public sealed class ClipTokenizer
{
    private readonly TokenizerFiles _files;
    private readonly BytePairs _pairs;
    private readonly KeyValuePair<string, int>[] _special;

    private ClipTokenizer(TokenizerFiles files, TextCleaning cleaning)
    {
        _files = files;
        _pairs = new BytePairs(files.Merges);
        _special = [.. files.Special.Where(token => token.Key.Length > 0).OrderByDescending(token => token.Key.Length)];
        Cleaning = cleaning;
    }

    public TextCleaning Cleaning { get; }

    /// <summary>Number of ids of every prompt, with start and end token and padding (model_max_length).</summary>
    public int MaxLength => _files.MaxLength;

    /// <summary>The largest id and one: an embedding needs at least as many rows.</summary>
    public int VocabularySize => _files.VocabularySize;

    public int StartId => _files.StartId;

    public int EndId => _files.EndId;

    public int PadId => _files.PadId;

    /// <summary>Reads a folder: vocab.json, merges.txt and, where they exist, tokenizer_config.json and special_tokens_map.json.</summary>
    /// <exception cref="ModelException">A file is missing or malformed; the message names it.</exception>
    public static ClipTokenizer Load(string folder, TextCleaning cleaning = TextCleaning.Ftfy) =>
        new(TokenizerFiles.Read(folder), cleaning);

    /// <summary>A text without special tokens as it is split into words: cleaned and in lower case.</summary>
    public string Clean(string text) => PromptText.Clean(text, Cleaning);

    public TokenizedPrompt Tokenize(string prompt)
    {
        var pieces = new List<string>();
        var ids = new List<int>();
        var start = 0;
        for (var i = 0; i < prompt.Length;)
        {
            if (SpecialAt(prompt, i) is not { } special)
            {
                i++;
                continue;
            }
            AddWords(prompt[start..i], pieces, ids);
            pieces.Add(special.Key);
            ids.Add(special.Value);
            start = i += special.Key.Length;
        }
        AddWords(prompt[start..], pieces, ids);

        var kept = Math.Min(ids.Count, MaxLength - 2);
        var padding = Enumerable.Repeat(PadId, MaxLength - 2 - kept);
        return new TokenizedPrompt([StartId, .. ids.Take(kept), EndId, .. padding], pieces, ids.Count + 2, Spell(pieces.Skip(kept)));
    }

    private KeyValuePair<string, int>? SpecialAt(string text, int index)
    {
        foreach (var token in _special)
        {
            if (text[index] == token.Key[0] && string.CompareOrdinal(text, index, token.Key, 0, token.Key.Length) == 0) return token;
        }
        return null;
    }

    private void AddWords(string text, List<string> pieces, List<int> ids)
    {
        foreach (var word in WordSplitter.Split(Clean(text)))
        {
            // The two marks are found here, too, where they were written in capitals.
            IReadOnlyList<string> split = word is WordSplitter.Start or WordSplitter.End ? [word] : _pairs.Split(ByteAlphabet.Encode(word));
            pieces.AddRange(split);
            ids.AddRange(split.Select(_files.IdOf));
        }
    }

    private static string Spell(IEnumerable<string> pieces) =>
        ByteAlphabet.Decode(string.Concat(pieces)).Replace(BytePairs.EndOfWord, " ").Trim();
}

/// <summary>A prompt as token ids.</summary>
/// <param name="Ids">Start token, the prompt's, end token, padding: as many as the tokenizer's MaxLength.</param>
/// <param name="Pieces">The prompt's pieces of words, special tokens as they are written; all of them, before any was cut off.</param>
/// <param name="Length">Number of ids with start and end token, before any was cut off.</param>
/// <param name="Ignored">The words that did not fit, as text; empty where all did. The first may be the rest of a word.</param>
public sealed record TokenizedPrompt(IReadOnlyList<int> Ids, IReadOnlyList<string> Pieces, int Length, string Ignored)
{
    public bool IsTruncated => Length > Ids.Count;

    /// <summary>A message for the person who wrote the prompt, or null where all of it is used.</summary>
    public string? Warning => IsTruncated
        ? $"The prompt is longer than {Ids.Count} tokens ({Length}); these words were ignored: {Ignored}"
        : null;
}

/// <summary>
/// Byte-pair encoding (Sennrich et al., arXiv 1508.07909) with an end-of-word mark: of all neighbours the pair of the lowest rank
/// is joined wherever it stands, from left to right, until no pair has a rank. A heap over a linked list: n log n for a word of n.
/// </summary>
internal sealed class BytePairs
{
    public const string EndOfWord = "</w>";

    private const int Unknown = -1, Gone = -2;

    private readonly Dictionary<string, int> _symbols = [];
    private readonly List<string> _names = [];
    private readonly Dictionary<(int Left, int Right), (int Rank, int Joined)> _merges = [];

    /// <param name="merges">Pairs in the order of their ranks.</param>
    public BytePairs(IEnumerable<(string Left, string Right)> merges)
    {
        var rank = 0;
        // A pair that is listed twice has its last rank.
        foreach (var (left, right) in merges) _merges[(Symbol(left), Symbol(right))] = (rank++, Symbol(left + right));
    }

    /// <summary>The pieces of a word spelt in the byte alphabet; the last one ends in &lt;/w&gt;.</summary>
    public IReadOnlyList<string> Split(string word)
    {
        var pieces = new Piece[word.Length];
        for (var i = 0; i < pieces.Length; i++)
        {
            var text = i == word.Length - 1 ? word[i] + EndOfWord : word[i].ToString();
            var symbol = _symbols.GetValueOrDefault(text, Unknown);
            pieces[i] = new Piece { Symbol = symbol, Text = symbol == Unknown ? text : null, Previous = i - 1, Next = i + 1 };
        }
        Join(pieces);
        var result = new List<string>();
        for (var i = 0; i < pieces.Length; i = pieces[i].Next) result.Add(pieces[i].Text ?? _names[pieces[i].Symbol]);
        return result;
    }

    private void Join(Piece[] pieces)
    {
        var queue = new PriorityQueue<(int Left, int LeftSymbol, int RightSymbol), (int Rank, int Left)>();
        var joined = new List<int>();
        for (var i = 0; i < pieces.Length; i++) Enqueue(i);

        while (queue.TryPeek(out _, out var lowest))
        {
            // Pairs that the joins of this rank create wait for its end, even those of a lower rank.
            while (queue.TryPeek(out var pair, out var next) && next.Rank == lowest.Rank)
            {
                queue.Dequeue();
                if (TryJoin(pieces, pair.Left, pair.LeftSymbol, pair.RightSymbol)) joined.Add(pair.Left);
            }
            foreach (var left in joined)
            {
                Enqueue(left);
                if (pieces[left].Previous >= 0) Enqueue(pieces[left].Previous);
            }
            joined.Clear();
        }

        void Enqueue(int left)
        {
            var right = pieces[left].Next;
            if (right >= pieces.Length) return;
            var (leftSymbol, rightSymbol) = (pieces[left].Symbol, pieces[right].Symbol);
            if (!_merges.TryGetValue((leftSymbol, rightSymbol), out var merge)) return;
            queue.Enqueue((left, leftSymbol, rightSymbol), (merge.Rank, left));
        }
    }

    private bool TryJoin(Piece[] pieces, int left, int leftSymbol, int rightSymbol)
    {
        var right = pieces[left].Next;
        if (right >= pieces.Length || pieces[left].Symbol != leftSymbol || pieces[right].Symbol != rightSymbol) return false;
        var after = pieces[right].Next;
        pieces[left].Symbol = _merges[(leftSymbol, rightSymbol)].Joined;
        pieces[left].Next = after;
        pieces[right].Symbol = Gone;
        if (after < pieces.Length) pieces[after].Previous = left;
        return true;
    }

    private int Symbol(string name)
    {
        if (_symbols.TryGetValue(name, out var symbol)) return symbol;
        _names.Add(name);
        return _symbols[name] = _names.Count - 1;
    }

    private struct Piece
    {
        public int Symbol, Previous, Next;
        public string? Text;
    }
}

/// <summary>
/// The 256 printable characters that stand for bytes in GPT-2's and CLIP's vocabularies: a printable byte of Latin-1 stands for
/// itself, the others, in order, are the characters from U+0100 on.
/// </summary>
internal static class ByteAlphabet
{
    private static readonly char[] Characters = BuildCharacters();
    private static readonly Dictionary<char, byte> Bytes =
        Enumerable.Range(0, 256).ToDictionary(value => Characters[value], value => (byte)value);

    public static string Encode(string word) => string.Concat(Encoding.UTF8.GetBytes(word).Select(value => Characters[value]));

    /// <summary>The text that characters of the alphabet spell; incomplete UTF-8 becomes the replacement character.</summary>
    public static string Decode(string characters)
    {
        var bytes = new List<byte>(characters.Length);
        foreach (var c in characters)
        {
            if (Bytes.TryGetValue(c, out var value)) bytes.Add(value);
            else bytes.AddRange(Encoding.UTF8.GetBytes([c]));
        }
        return Encoding.UTF8.GetString([.. bytes]);
    }

    private static char[] BuildCharacters()
    {
        var characters = new char[256];
        var next = '\u0100';
        for (var value = 0; value < 256; value++)
        {
            var isPrintable = value is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);
            characters[value] = isPrintable ? (char)value : next++;
        }
        return characters;
    }
}

/// <summary>
/// Splits cleaned text as CLIP does: the two marks, English contractions, runs of letters, single digits, runs of anything else.
/// By hand, since .NET's regular expressions see the halves of letters beyond the first plane.
/// </summary>
internal static class WordSplitter
{
    public const string Start = "<|startoftext|>", End = "<|endoftext|>";

    private static readonly string[] Whole = [Start, End, "'s", "'t", "'re", "'ve", "'m", "'ll", "'d"];

    public static IEnumerable<string> Split(string text)
    {
        for (var i = 0; i < text.Length;)
        {
            var length = WordLength(text, i, out var isSpace);
            if (!isSpace) yield return text.Substring(i, length);
            i += length;
        }
    }

    private static int WordLength(string text, int start, out bool isSpace)
    {
        var codePoint = CodePoints.At(text, start, out var length);
        isSpace = CodePoints.IsSpace(codePoint);
        if (isSpace || CodePoints.IsNumber(codePoint)) return length;
        if (IsLetter(codePoint)) return RunLength(text, start, IsLetter);
        foreach (var word in Whole)
        {
            if (StartsWith(text, start, word)) return word.Length;
        }
        return RunLength(text, start, IsMark);
    }

    // Ignoring case, the combining iota below is the letter iota.
    private static bool IsLetter(int codePoint) => CodePoints.IsLetter(codePoint) || codePoint == 0x345;

    private static bool IsMark(int codePoint) =>
        !CodePoints.IsSpace(codePoint) && !IsLetter(codePoint) && !CodePoints.IsNumber(codePoint);

    private static int RunLength(string text, int start, Predicate<int> belongs)
    {
        var i = start;
        while (i < text.Length && belongs(CodePoints.At(text, i, out var length))) i += length;
        return i - start;
    }

    // The text is in lower case; the long s is the one other character that equals a letter of these words but for case.
    private static bool StartsWith(string text, int start, string word)
    {
        if (start + word.Length > text.Length) return false;
        for (var i = 0; i < word.Length; i++)
        {
            if (text[start + i] != word[i] && !(word[i] == 's' && text[start + i] == 'ſ')) return false;
        }
        return true;
    }
}
