using System.Text;

namespace SaeUnbox.Models;

/// <summary>
/// The tokenizer of CLIP: matches special tokens literally, cleans the text between them, splits it into words and each word into byte
/// pairs. It makes the same ids as the class CLIPTokenizer of transformers.
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

    /// <summary>Number of ids of each prompt, including start and end token and padding (model_max_length).</summary>
    public int MaxLength => _files.MaxLength;

    /// <summary>The largest id plus one. The token embedding needs at least this many rows.</summary>
    public int VocabularySize => _files.VocabularySize;

    public int StartId => _files.StartId;

    public int EndId => _files.EndId;

    public int PadId => _files.PadId;

    /// <summary>
    /// Reads vocab.json and merges.txt, or tokenizer.json where they are missing, and tokenizer_config.json and special_tokens_map.json
    /// where they exist.
    /// </summary>
    /// <exception cref="ModelException">A file is missing or malformed.</exception>
    public static ClipTokenizer Load(string folder, TextCleaning cleaning = TextCleaning.Ftfy) =>
        new(TokenizerFiles.Read(folder), cleaning);

    /// <summary>
    /// Reads the tokenizer of a part of SDXL, <c>tokenizer</c> or <c>tokenizer_2</c>: from the folder of that name in
    /// <paramref name="folder"/> if there is one, else from <paramref name="folder"/> itself. SDXL pads the second with "!".
    /// </summary>
    /// <exception cref="ModelException">A file is missing or malformed.</exception>
    public static ClipTokenizer LoadFor(string part, string folder, TextCleaning cleaning = TextCleaning.Ftfy)
    {
        var own = Path.Combine(folder, part);
        return Directory.Exists(own) ? Load(own, cleaning) : new(Padded(TokenizerFiles.Read(folder), part == "tokenizer_2"), cleaning);
    }

    /// <summary>A tokenizer with CLIP's own vocabulary, which ships with the program.</summary>
    /// <param name="padsWithExclamation">It pads with "!", as OpenCLIP's tokenizer does, instead of the end token.</param>
    public static ClipTokenizer BuiltIn(bool padsWithExclamation, TextCleaning cleaning = TextCleaning.Ftfy) =>
        new(Padded(ClipVocabulary.Read(), padsWithExclamation), cleaning);

    /// <summary>Writes vocab.json, merges.txt and tokenizer_config.json, from which <see cref="Load"/> makes the same tokenizer.</summary>
    /// <param name="folder">An existing folder.</param>
    /// <exception cref="CheckpointException">A file cannot be written.</exception>
    public void Save(string folder) => _files.Write(folder);

    /// <summary>Whether it makes the same ids.</summary>
    internal bool IsSameAs(ClipTokenizer other) => _files.IsSameAs(other._files);

    private static TokenizerFiles Padded(TokenizerFiles files, bool withExclamation) =>
        withExclamation ? files.PaddedWith("!") : files;

    /// <summary>Cleans a text without special tokens and converts it to lower case.</summary>
    public string Clean(string text) => PromptText.Clean(text, Cleaning);

    /// <summary>Converts a prompt to exactly <see cref="MaxLength"/> ids.</summary>
    public TokenizedPrompt Tokenize(string prompt)
    {
        var pieces = new List<string>();
        var ids = new List<int>();
        var start = 0;
        for (var i = 0; i < prompt.Length;)
        {
            if (FindSpecial(prompt, i) is not { } special)
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
        return new TokenizedPrompt([StartId, .. ids.Take(kept), EndId, .. padding], pieces, ids.Count + 2, Join(pieces.Skip(kept)));
    }

    private KeyValuePair<string, int>? FindSpecial(string text, int index)
    {
        foreach (var token in _special)
        {
            if (text[index] == token.Key[0] && string.CompareOrdinal(text, index, token.Key, 0, token.Key.Length) == 0)
                return token;
        }
        return null;
    }

    private void AddWords(string text, List<string> pieces, List<int> ids)
    {
        foreach (var word in WordSplitter.Split(Clean(text)))
        {
            // Start and end tokens in capital letters only match here, after the text is in lower case.
            IReadOnlyList<string> split = word is WordSplitter.Start or WordSplitter.End
                ? [word]
                : _pairs.Split(ByteAlphabet.Encode(word));
            pieces.AddRange(split);
            ids.AddRange(split.Select(_files.FindId));
        }
    }

    private static string Join(IEnumerable<string> pieces) =>
        ByteAlphabet.Decode(string.Concat(pieces)).Replace(BytePairs.EndOfWord, " ").Trim();
}

/// <summary>A prompt as token ids.</summary>
/// <param name="Ids">Start token, prompt, end token and padding; MaxLength of the tokenizer in total.</param>
/// <param name="Pieces">The word pieces and special tokens of the whole prompt, including those that did not fit.</param>
/// <param name="Length">Number of ids of the whole prompt, including start and end token.</param>
/// <param name="Ignored">The text that did not fit; it can start in the middle of a word. Empty if everything fits.</param>
public sealed record TokenizedPrompt(IReadOnlyList<int> Ids, IReadOnlyList<string> Pieces, int Length, string Ignored)
{
    public bool IsTruncated => Length > Ids.Count;

    /// <summary>A message for the user if the prompt does not fit; otherwise null.</summary>
    public string? Warning => IsTruncated
        ? $"The prompt is longer than {Ids.Count} tokens ({Length}); these words were ignored: {Ignored}"
        : null;
}

/// <summary>
/// Byte-pair encoding (arXiv 1508.07909) with an end-of-word mark. It repeatedly merges all occurrences, from left to right, of the
/// neighbouring pair with the lowest rank, until no pair has a rank. A heap over a linked list makes it O(n log n) for n characters.
/// </summary>
internal sealed class BytePairs
{
    public const string EndOfWord = "</w>";

    private const int Unknown = -1, Removed = -2;

    private readonly Dictionary<string, int> _symbols = [];
    private readonly List<string> _names = [];
    private readonly Dictionary<(int Left, int Right), (int Rank, int Joined)> _merges = [];

    /// <param name="merges">Pairs in order of rank.</param>
    public BytePairs(IEnumerable<(string Left, string Right)> merges)
    {
        var rank = 0;
        // If a pair is listed twice, its last rank counts.
        foreach (var (left, right) in merges)
            _merges[(Symbol(left), Symbol(right))] = (rank++, Symbol(left + right));
    }

    /// <summary>Splits a word in the byte alphabet into pieces. The last one ends in &lt;/w&gt;.</summary>
    public IReadOnlyList<string> Split(string word)
    {
        var pieces = new Piece[word.Length];
        for (var i = 0; i < pieces.Length; i++)
        {
            var text = i == word.Length - 1 ? word[i] + EndOfWord : word[i].ToString();
            var symbol = _symbols.GetValueOrDefault(text, Unknown);
            pieces[i] = new Piece { Symbol = symbol, Text = symbol == Unknown ? text : null, Previous = i - 1, Next = i + 1 };
        }
        Merge(pieces);
        var result = new List<string>();
        for (var i = 0; i < pieces.Length; i = pieces[i].Next)
            result.Add(pieces[i].Text ?? _names[pieces[i].Symbol]);
        return result;
    }

    private void Merge(Piece[] pieces)
    {
        var queue = new PriorityQueue<(int Left, int LeftSymbol, int RightSymbol), (int Rank, int Left)>();
        var merged = new List<int>();
        for (var i = 0; i < pieces.Length; i++)
            Enqueue(i);

        while (queue.TryPeek(out _, out var lowest))
        {
            // New pairs are queued only after all merges of this rank, even if their rank is lower.
            while (queue.TryPeek(out var pair, out var next) && next.Rank == lowest.Rank)
            {
                queue.Dequeue();
                if (TryMerge(pieces, pair.Left, pair.LeftSymbol, pair.RightSymbol))
                    merged.Add(pair.Left);
            }
            foreach (var left in merged)
            {
                Enqueue(left);
                if (pieces[left].Previous >= 0)
                    Enqueue(pieces[left].Previous);
            }
            merged.Clear();
        }

        void Enqueue(int left)
        {
            var right = pieces[left].Next;
            if (right >= pieces.Length)
                return;
            var (leftSymbol, rightSymbol) = (pieces[left].Symbol, pieces[right].Symbol);
            if (_merges.TryGetValue((leftSymbol, rightSymbol), out var merge))
                queue.Enqueue((left, leftSymbol, rightSymbol), (merge.Rank, left));
        }
    }

    private bool TryMerge(Piece[] pieces, int left, int leftSymbol, int rightSymbol)
    {
        var right = pieces[left].Next;
        if (right >= pieces.Length || pieces[left].Symbol != leftSymbol || pieces[right].Symbol != rightSymbol)
            return false;
        var after = pieces[right].Next;
        pieces[left].Symbol = _merges[(leftSymbol, rightSymbol)].Joined;
        pieces[left].Next = after;
        pieces[right].Symbol = Removed;
        if (after < pieces.Length)
            pieces[after].Previous = left;
        return true;
    }

    private int Symbol(string name)
    {
        if (_symbols.TryGetValue(name, out var symbol))
            return symbol;
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
/// The 256 printable characters that represent bytes in the vocabularies of GPT-2 and CLIP. Printable bytes of Latin-1 represent
/// themselves; the others are represented by U+0100 and up, in order.
/// </summary>
internal static class ByteAlphabet
{
    private static readonly char[] Characters = BuildCharacters();
    private static readonly Dictionary<char, byte> Bytes =
        Enumerable.Range(0, 256).ToDictionary(value => Characters[value], value => (byte)value);

    /// <summary>The characters in the order of CLIP's ids: those that stand for themselves, then the others.</summary>
    public static IEnumerable<char> InOrder => Characters.Order();

    public static string Encode(string word) => string.Concat(Encoding.UTF8.GetBytes(word).Select(value => Characters[value]));

    /// <summary>Decodes characters of the alphabet to text. Invalid UTF-8 becomes U+FFFD.</summary>
    public static string Decode(string characters)
    {
        var bytes = new List<byte>(characters.Length);
        foreach (var c in characters)
        {
            if (Bytes.TryGetValue(c, out var value))
                bytes.Add(value);
            else
                bytes.AddRange(Encoding.UTF8.GetBytes([c]));
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
/// Splits clean text like CLIP: start and end token, English contractions, runs of letters, single digits, runs of other characters.
/// Regular expressions of .NET cannot do this, because they see surrogates instead of the letters above U+FFFF.
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
            if (!isSpace)
                yield return text.Substring(i, length);
            i += length;
        }
    }

    private static int WordLength(string text, int start, out bool isSpace)
    {
        var codePoint = CodePoints.At(text, start, out var length);
        isSpace = CodePoints.IsSpace(codePoint);
        if (isSpace || CodePoints.IsNumber(codePoint))
            return length;
        if (IsLetter(codePoint))
            return RunLength(text, start, IsLetter);
        foreach (var word in Whole)
        {
            if (StartsWith(text, start, word))
                return word.Length;
        }
        return RunLength(text, start, IsMark);
    }

    // CLIP's pattern ignores case, which makes the combining iota U+0345 a letter.
    private static bool IsLetter(int codePoint) => CodePoints.IsLetter(codePoint) || codePoint == 0x345;

    private static bool IsMark(int codePoint) =>
        !CodePoints.IsSpace(codePoint) && !IsLetter(codePoint) && !CodePoints.IsNumber(codePoint);

    private static int RunLength(string text, int start, Predicate<int> belongs)
    {
        var i = start;
        while (i < text.Length && belongs(CodePoints.At(text, i, out var length)))
            i += length;
        return i - start;
    }

    // The text is in lower case. The pattern ignores case, so the long s also matches s.
    private static bool StartsWith(string text, int start, string word)
    {
        if (start + word.Length > text.Length)
            return false;
        for (var i = 0; i < word.Length; i++)
        {
            if (text[start + i] != word[i] && !(word[i] == 's' && text[start + i] == 'ſ'))
                return false;
        }
        return true;
    }
}
