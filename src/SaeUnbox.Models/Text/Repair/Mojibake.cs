using System.Globalization;
using System.Text.RegularExpressions;
using System.Text;

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

/// <summary>
/// Tells whether a text looks as if it had been decoded with the wrong encoding: by neighbours that do not occur in ordinary
/// text, such as an accented letter beside a currency sign. The classes and rules are those of ftfy 6.3.
/// </summary>
internal static class Badness
{
    private const string Common = "\u00A0\u00AD·´–—―…’";
    private const string C1 = "\u0080-\u009F";
    private const string Bad = "¦¤¨¬¯¸ƒˆˇ˘˛˜†‡‰⌐◊\uFFFDªº";
    private const string Law = "¶§";
    private const string Currency = "¢£¥₧€";
    private const string Opening = "¡«¿©\u0384\u0385‘‚“„•‹\uF8FF";
    private const string Closing = "®»˝”›™";
    private const string Numeric = "²³¹±¼½¾×µ÷⁄∂∆∏∑√∞∩∫≈≠≡≤≥№";
    private const string Kaomoji = "Ò-ÖÙ-Üò-öø-üŐŌŪŲ°";
    private const string UpperAccented = "À-ÑØÜÝĂĀĄĆČĎĐĘĚĒĖĞĢİĪĶĹĽŁĻŃŇŅŒŘŚŞŠŢŤŮŰŸŹŻŽҐ";
    private const string LowerAccented = "ßà-ñăąāćčďđęěēėğģįīķĺľłļœŕśşšťüźżžґﬁﬂ";
    private const string UpperCommon = "ÞΑ-ΩΆΈΉΊΌΎΏΪΫЁ-Я";
    private const string LowerCommon = "α-ωάέήίΰа-џ";
    private const string Box = "│┌┐┘├┤┬┼═-╬▀▄█▌▐░▒▓";

    private const string Accented = LowerAccented + UpperAccented;
    private const string CyrillicContinuation = C1 + Bad + Opening + Closing + Currency + "°µ";
    private const string GreekContinuation = C1 + Bad + Opening + Closing + Currency + "°";
    private const string ArabicContinuation = Common + Currency + Bad + Numeric + Opening + "ŸŠ®°µ»";

    // White space with the information separators; a code point, where . alone would be half of one.
    private const string Space = @"[\s\x1C-\x1F]";
    private const string Any = @"(?:[\uD800-\uDBFF][\uDC00-\uDFFF]|[^\n])";

    private static readonly Regex Suspicious = new(string.Join('|',
        $"[{C1}]",
        $"[{Bad}{Accented}{Box}{Opening}{Closing}{Currency}{Numeric}{Law}][{Bad}]",
        $"[a-zA-Z][{LowerCommon}{UpperCommon}][{Bad}]",
        $"[{Bad}][{Accented}{Box}{Opening}{Closing}{Currency}{Numeric}{Law}]",
        $"[{LowerAccented}{LowerCommon}{Box}{Closing}{Currency}{Numeric}][{UpperAccented}]",
        $"[{Box}{Closing}{Currency}{Numeric}][{LowerAccented}]",
        $"[{LowerAccented}{Box}{Closing}][{Currency}]",
        $"{Space}[{UpperAccented}][{Currency}]",
        $"[{UpperAccented}{Box}][{Numeric}{Law}]",
        $"[{Accented}{Box}{Currency}{Closing}][{Opening}][{Numeric}]",
        $"[{Accented}{Currency}{Numeric}{Box}{Law}][{Closing}][{Opening}]",
        $"[{Currency}{Numeric}{Box}][{Opening}]",
        $"[a-z][{UpperAccented}][{Opening}{Currency}]",
        $"[{Box}][{Kaomoji}]",
        $"[{Accented}{Currency}{Numeric}{Opening}{Closing}{Law}][{Box}]",
        $"[{Box}][{Closing}]",
        @$"[{Accented}][{Opening}{Closing}][\p{{L}}\p{{N}}_]",
        "[Œœ][^A-Za-z]",
        $"[{UpperAccented}]°",
        // Two characters that Windows-1252 makes of one.
        $"[ÂÃÎÐ][€œŠš¢£Ÿž\u00A0\u00AD®©°·»{Opening}{Closing}–—´]",
        "×[²³]",
        $"[ØÙ][{ArabicContinuation}][ØÙ][{ArabicContinuation}]",
        "à[²µ¹¼½¾]",
        // MacRoman.
        "√[±∂†≠®™´≤≥¥µø]",
        "≈[°¢]",
        "‚Ä[ìîïòôúùû†°¢π]",
        "‚[âó][àä°ê]",
        // Windows-1251.
        "вЂ",
        $"[ВГРС][{CyrillicContinuation}][ВГРС]",
        $"ГўВЂВ{Any}[A-Za-z ]",
        // Windows-1252 once more: what is left of a no-break space.
        "Ã[\u00A0¡]",
        $"[a-z]{Space}?[ÃÂ] ",
        "^[ÃÂ] ",
        $"[a-z.,?!{Closing}]Â[ {Opening}{Closing}]",
        // Windows-1253 and Windows-1257.
        "β€[™\u00A0Ά\u00AD®°]",
        $"[ΒΓΞΟ][{GreekContinuation}][ΒΓΞΟ]",
        "ā€",
        // A letter beyond the first plane, whose category a regular expression over UTF-16 does not see. Must stay last.
        $@"[{Accented}][{Opening}{Closing}](?<high>[\uD800-\uDBFF])[\uDC00-\uDFFF]"),
        RegexOptions.CultureInvariant);

    public static bool IsBad(string text)
    {
        for (var match = Suspicious.Match(text); match.Success; match = Suspicious.Match(text, match.Index + 1))
        {
            if (match.Groups["high"] is not { Success: true } high) return true;
            if (CharUnicodeInfo.GetUnicodeCategory(text, high.Index) is <= UnicodeCategory.OtherLetter
                or UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber) return true;
        }
        return false;
    }
}

/// <summary>
/// A single-byte encoding that text may have been decoded with by mistake. Bytes are held as the characters U+0000 to U+00FF of
/// a string, so that regular expressions work on them. A sloppy page takes a byte it has no character for as the control
/// character of the same number (as browsers do), and encodes a replacement character as the byte 1A.
/// </summary>
internal sealed class CodePage
{
    private const char Substitute = '\x1A', Replacement = '\uFFFD';

    public static readonly CodePage Latin1 = new(28591);
    public static readonly CodePage Windows1252 = new(1252, isSloppy: true);

    /// <summary>The order in which repairs are tried; MacRoman and the IBM PC's come last.</summary>
    public static readonly IReadOnlyList<CodePage> InOrder =
    [
        Latin1, Windows1252, new(1251, isSloppy: true), new(1250, isSloppy: true), new(1253, isSloppy: true),
        new(1254, isSloppy: true), new(1257, isSloppy: true), new(28592), new(10000), new(437),
    ];

    private readonly char[] _characters = new char[256];
    private readonly Dictionary<char, char> _bytes = [];

    private CodePage(int number, bool isSloppy = false)
    {
        IsSloppy = isSloppy;
        IsMacRoman = number == 10000;
        var encoding = CodePagesEncodingProvider.Instance.GetEncoding(number) ?? Encoding.GetEncoding(number);
        for (var value = 0; value < 256; value++)
        {
            var character = encoding.GetString([(byte)value])[0];
            // .NET gives holes of the Windows pages private use characters; the Mac's own logo is one, too, and meant.
            var isHole = isSloppy && character is >= '\uF8F9' and <= '\uF8FD';
            _characters[value] = isHole ? (char)value : character;
        }
        if (isSloppy) _characters[Substitute] = Replacement;
        if (IsMacRoman) _characters[0xBD] = '\u03A9'; // the Greek capital omega, as Apple's table has it, for the ohm sign
        for (var value = 0; value < 256; value++) _bytes.TryAdd(_characters[value], (char)value);
    }

    public bool IsSloppy { get; }

    public bool IsMacRoman { get; }

    /// <summary>The characters of the bytes from <paramref name="first"/> to <paramref name="last"/>.</summary>
    public IEnumerable<char> Characters(int first, int last) => _characters[first..(last + 1)];

    /// <summary>The bytes that decode to <paramref name="text"/>, or null where a character is not of this page.</summary>
    public string? Encode(string text)
    {
        var bytes = new char[text.Length];
        for (var i = 0; i < text.Length; i++)
        {
            if (!_bytes.TryGetValue(text[i], out bytes[i])) return null;
        }
        return new string(bytes);
    }

    public string Decode(string bytes) => string.Create(bytes.Length, bytes, (span, source) =>
    {
        for (var i = 0; i < span.Length; i++) span[i] = _characters[source[i]];
    });
}

/// <summary>
/// Strict UTF-8 of bytes held as characters; where the bytes C0 or ED occur, also Java's two-byte zero and surrogate pairs
/// encoded one by one (CESU-8).
/// </summary>
internal static class Utf8Variants
{
    public static string? Decode(string bytes)
    {
        var text = new StringBuilder(bytes.Length);
        var start = 0;
        for (var i = 0; i < bytes.Length; i++)
        {
            int length, codePoint;
            if (bytes[i] == '\xC0' && IsZero(bytes, i)) (length, codePoint) = (2, 0);
            else if (bytes[i] == '\xED' && IsPair(bytes, i)) (length, codePoint) = (6, Pair(bytes, i));
            else continue;

            if (!AppendUtf8(text, bytes, start, i)) return null;
            if (codePoint == 0) text.Append('\0'); else text.Append(char.ConvertFromUtf32(codePoint));
            start = i + length;
            i = start - 1;
        }
        return AppendUtf8(text, bytes, start, bytes.Length) ? text.ToString() : null;
    }

    // The reference's patterns take a line feed that ends the text for the end: both sequences may lack their last byte there.
    private static bool IsZero(string bytes, int i) => i + 1 < bytes.Length && (bytes[i + 1] == '\x80' || EndsAt(bytes, i + 1));

    private static bool IsPair(string bytes, int i) => i + 5 < bytes.Length
        && bytes[i + 1] is >= '\xA0' and <= '\xAF' && IsContinuation(bytes[i + 2])
        && bytes[i + 3] == '\xED' && bytes[i + 4] is >= '\xB0' and <= '\xBF'
        && (IsContinuation(bytes[i + 5]) || EndsAt(bytes, i + 5));

    private static bool EndsAt(string bytes, int i) => i == bytes.Length - 1 && bytes[i] == '\n';

    private static bool IsContinuation(char value) => value is >= '\x80' and <= '\xBF';

    private static int Pair(string bytes, int i) => 0x10000
        + ((bytes[i + 1] & 0x0F) << 16) + ((bytes[i + 2] & 0x3F) << 10) + ((bytes[i + 4] & 0x0F) << 6) + (bytes[i + 5] & 0x3F);

    private static bool AppendUtf8(StringBuilder text, string bytes, int start, int end)
    {
        var chunk = Encoding.Latin1.GetBytes(bytes, start, end - start);
        if (!System.Text.Unicode.Utf8.IsValid(chunk)) return false;
        text.Append(Encoding.UTF8.GetString(chunk));
        return true;
    }
}
