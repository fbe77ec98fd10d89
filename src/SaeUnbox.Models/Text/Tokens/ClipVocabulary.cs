namespace SaeUnbox.Models;

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
