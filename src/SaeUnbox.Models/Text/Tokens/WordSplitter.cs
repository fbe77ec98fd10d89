namespace SaeUnbox.Models;

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
