using System.Text;

namespace SaeUnbox.Models;

/// <summary>
/// What ftfy.fix_text (6.3, default settings) does: decodes HTML references, takes back wrong decodings, and replaces
/// typographic forms by plain ones, again and again until nothing changes, line by line.
/// </summary>
internal static class TextRepair
{
    private const int LongestSegment = 1_000_000; // code points
    private const long Budget = 10_000_000;

    public static string Fix(string text)
    {
        var result = new StringBuilder(text.Length);
        var budget = new WorkBudget(Budget + 4L * text.Length);
        var isHtml = false;
        for (var start = 0; start < text.Length;)
        {
            var end = SegmentEnd(text, start);
            var segment = text[start..end];
            // A literal < says that references are meant: from this line on.
            isHtml |= segment.Contains('<');
            result.Append(FixSegment(segment, !isHtml, budget));
            start = end;
        }
        return result.ToString();
    }

    private static int SegmentEnd(string text, int start)
    {
        var end = text.IndexOf('\n', start) is var lineFeed and >= 0 ? lineFeed + 1 : text.Length;
        if (end - start <= LongestSegment) return end;
        var cut = start;
        for (var count = 0; count < LongestSegment && cut < end; count++)
        {
            CodePoints.At(text, cut, out var length);
            cut += length;
        }
        return cut;
    }

    private static string FixSegment(string text, bool decodeReferences, WorkBudget budget)
    {
        while (budget.Spend(text.Length))
        {
            var before = text;
            if (decodeReferences) text = HtmlEntities.Decode(text);
            text = Mojibake.Fix(text, budget);
            text = Mojibake.FixC1(text);
            text = CharacterForms.SplitLigatures(text);
            text = CharacterForms.NormalizeWidth(text);
            text = CharacterForms.StraightenQuotes(text);
            text = CharacterForms.UnifyLineBreaks(text);
            text = CharacterForms.ReplaceLoneSurrogates(text);
            text = CharacterForms.RemoveTerminalEscapes(text);
            text = CharacterForms.RemoveControls(text);
            text = CanonicalForm.Compose(text);
            if (text == before) break;
        }
        return text;
    }
}
