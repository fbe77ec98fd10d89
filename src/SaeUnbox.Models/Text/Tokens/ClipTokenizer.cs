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
