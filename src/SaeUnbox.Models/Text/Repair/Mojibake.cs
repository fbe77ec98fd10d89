using System.Text;
using System.Text.RegularExpressions;

namespace SaeUnbox.Models;

/// <summary>
/// Takes back the decoding of UTF-8 with a single-byte encoding (é read as Ã©), as ftfy 6.3 does: the whole text where one
/// encoding explains all of it, else the sequences in it that look like nothing else.
/// </summary>
internal static partial class Mojibake
{
    // Dashes, quotation marks and the like, which also stand for themselves beside mojibake.
    private const string OrdinaryPunctuation = "–—―‘’‚“”„•…";

    private static readonly Regex Embedded = BuildEmbedded();

    public static string Fix(string text, WorkBudget budget)
    {
        while (budget.Spend(text.Length))
        {
            var repaired = FixOnce(text, budget);
            if (repaired == text) break;
            text = repaired;
        }
        return text;
    }

    /// <summary>C1 control characters are read as Windows-1252 has them, as browsers do.</summary>
    public static string FixC1(string text) => C1Control().Replace(text, match => CodePage.Windows1252.Decode(match.Value));

    private static string FixOnce(string text, WorkBudget budget)
    {
        if (Ascii.IsValid(text) || !Badness.IsBad(text)) return text;

        string? latin1 = null;
        foreach (var page in CodePage.InOrder)
        {
            if (page.Encode(text) is not { } bytes) continue;
            if (page == CodePage.Latin1) latin1 = bytes;
            if (Utf8Variants.Decode(RestoreBytes(bytes, page)) is { } decoded) return decoded;
        }

        var inconsistent = Embedded.Replace(text, match => match.Length < text.Length && Badness.IsBad(match.Value)
            ? Fix(match.Value, budget)
            : match.Value);
        if (inconsistent != text) return inconsistent;

        if (latin1 is not null && !latin1.AsSpan().ContainsAny("\x81\x8D\x8F\x90\x9D"))
        {
            // Strictly, without the sloppy page's meaning of the byte 1A.
            var windows = CodePage.Windows1252.Decode(latin1).Replace('\uFFFD', '\x1A');
            if (windows != text) return windows;
        }
        return FixC1(text);
    }

    private static string RestoreBytes(string bytes, CodePage page)
    {
        // In MacRoman the pattern would take an en dash before a space.
        if (!page.IsMacRoman && SpaceForA0().IsMatch(bytes))
        {
            bytes = AGraveAsAWord().Replace(bytes, "\u00C3\u00A0 ");
            bytes = SpaceForA0().Replace(bytes, match => match.Value.Replace(' ', '\u00A0'));
        }
        return page.IsSloppy ? LostBytes().Replace(bytes, "\u00EF\u00BF\u00BD") : bytes;
    }

    private static Regex BuildEmbedded()
    {
        // Latin-1 and the Windows pages; MacRoman and the IBM PC's are too unlike them.
        var pages = CodePage.InOrder.Take(7).ToArray();
        string Class(int first, int last) => new(pages.SelectMany(page => page.Characters(first, last)).Distinct().ToArray());
        var continuation = "\u0080-\u00BF" + Class(0x80, 0xBF);
        var strict = string.Concat(continuation.Where(c => !OrdinaryPunctuation.Contains(c)));
        var (two, three, four) = (Class(0xC2, 0xDF), Class(0xE0, 0xEF), Class(0xF0, 0xF0) + Class(0xF3, 0xF3));
        return new Regex(
            $"(?<![{strict}])(?:[{two}][{continuation} ]|[{three}][{continuation} ]{{2}}|[{four}][{continuation} ]{{3}})+",
            RegexOptions.CultureInvariant);
    }

    // UTF-8 in which a space stands for the byte A0, for lead bytes where that gives likely characters.
    [GeneratedRegex("[\u00C2\u00C3\u00C5\u00CE\u00D0\u00D9] "
        + "|[\u00E2\u00E3] [\u0080-\u0084\u0086-\u009F\u00A1-\u00BF]"
        + "|[\u00E0-\u00E3][\u0080-\u0084\u0086-\u009F\u00A1-\u00BF] "
        + "|\u00F0 [\u0080-\u00BF]{2}|\u00F0[\u0080-\u00BF] [\u0080-\u00BF]|\u00F0[\u0080-\u00BF]{2} ", RegexOptions.CultureInvariant)]
    private static partial Regex SpaceForA0();

    // The word à, whose space is both its second byte and the space after it; not the beginning of some Portuguese words.
    [GeneratedRegex("\u00C3 (?! |quele|quela|quilo|s )", RegexOptions.CultureInvariant)]
    private static partial Regex AGraveAsAWord();

    // UTF-8 in which bytes are lost: 1A stands for one that was decoded to the replacement character, ? at most once for one.
    [GeneratedRegex("[\u00C2-\u00DF]\u001A|[\u00C2\u00C3]\\?"
        + "|\u00ED[\u00A0-\u00AF][\u001A?]\u00ED[\u00B0-\u00BF][\u001A?\u0080-\u00BF]"
        + "|\u00ED[\u00A0-\u00AF][\u001A?\u0080-\u00BF]\u00ED[\u00B0-\u00BF][\u001A?]"
        + "|[\u00E0-\u00EF][\u001A?][\u001A\u0080-\u00BF]|[\u00E0-\u00EF][\u001A\u0080-\u00BF][\u001A?]"
        + "|[\u00F0-\u00F4][\u001A?][\u001A\u0080-\u00BF]{2}|[\u00F0-\u00F4][\u001A\u0080-\u00BF][\u001A?][\u001A\u0080-\u00BF]"
        + "|[\u00F0-\u00F4][\u001A\u0080-\u00BF]{2}[\u001A?]|\u001A", RegexOptions.CultureInvariant)]
    private static partial Regex LostBytes();

    [GeneratedRegex("[\u0080-\u009F]", RegexOptions.CultureInvariant)]
    private static partial Regex C1Control();
}
