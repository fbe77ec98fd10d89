using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace SaeUnbox.Models;

/// <summary>
/// Repairs UTF-8 that was decoded with a single-byte encoding (é read as Ã©), like ftfy 6.3: the whole text if one encoding explains all of
/// it, otherwise only the sequences that are clearly mojibake.
/// </summary>
internal static partial class Mojibake
{
    // Dashes, quotation marks and similar characters that are also common next to mojibake.
    private const string OrdinaryPunctuation = "–—―‘’‚“”„•…";

    private static readonly Regex Embedded = BuildEmbedded();

    /// <summary>Repairs the text until nothing changes or the budget is spent.</summary>
    public static string Fix(string text, WorkBudget budget)
    {
        while (budget.Spend(text.Length))
        {
            var repaired = FixOnce(text, budget);
            if (repaired == text)
                break;
            text = repaired;
        }
        return text;
    }

    /// <summary>Replaces C1 control characters by the characters of Windows-1252, like browsers.</summary>
    public static string FixC1(string text) => C1Control().Replace(text, match => CodePage.Windows1252.Decode(match.Value));

    private static string FixOnce(string text, WorkBudget budget)
    {
        if (Ascii.IsValid(text) || !Badness.IsBad(text))
            return text;
        string? latin1 = null;
        foreach (var page in CodePage.InOrder)
        {
            if (page.Encode(text) is not { } bytes)
                continue;
            if (page == CodePage.Latin1)
                latin1 = bytes;
            if (Utf8Variants.Decode(RestoreBytes(bytes, page)) is { } decoded)
                return decoded;
        }

        var inconsistent = Embedded.Replace(text, match => match.Length < text.Length && Badness.IsBad(match.Value)
            ? Fix(match.Value, budget)
            : match.Value);
        if (inconsistent != text)
            return inconsistent;
        if (latin1 is not null && !latin1.AsSpan().ContainsAny("\x81\x8D\x8F\x90\x9D"))
        {
            // Undoes the special meaning of the byte 1A in sloppy pages.
            var windows = CodePage.Windows1252.Decode(latin1).Replace('\uFFFD', '\x1A');
            if (windows != text)
                return windows;
        }
        return FixC1(text);
    }

    private static string RestoreBytes(string bytes, CodePage page)
    {
        // In MacRoman the pattern would match an en dash before a space.
        if (!page.IsMacRoman && SpaceForA0().IsMatch(bytes))
        {
            bytes = AGraveAsAWord().Replace(bytes, "\u00C3\u00A0 ");
            bytes = SpaceForA0().Replace(bytes, match => match.Value.Replace(' ', '\u00A0'));
        }
        return page.IsSloppy ? LostBytes().Replace(bytes, "\u00EF\u00BF\u00BD") : bytes;
    }

    private static Regex BuildEmbedded()
    {
        // Latin-1 and the Windows pages. MacRoman and code page 437 differ too much.
        var pages = CodePage.InOrder.Take(7).ToArray();
        string Class(int first, int last) => new(pages.SelectMany(page => page.Characters(first, last)).Distinct().ToArray());
        var continuation = "\u0080-\u00BF" + Class(0x80, 0xBF);
        var strict = string.Concat(continuation.Where(c => !OrdinaryPunctuation.Contains(c)));
        var (two, three, four) = (Class(0xC2, 0xDF), Class(0xE0, 0xEF), Class(0xF0, 0xF0) + Class(0xF3, 0xF3));
        return new Regex(
            $"(?<![{strict}])(?:[{two}][{continuation} ]|[{three}][{continuation} ]{{2}}|[{four}][{continuation} ]{{3}})+",
            RegexOptions.CultureInvariant);
    }

    // UTF-8 with a space instead of the byte A0, after lead bytes for which the result is a likely character.
    [GeneratedRegex("[\u00C2\u00C3\u00C5\u00CE\u00D0\u00D9] "
        + "|[\u00E2\u00E3] [\u0080-\u0084\u0086-\u009F\u00A1-\u00BF]"
        + "|[\u00E0-\u00E3][\u0080-\u0084\u0086-\u009F\u00A1-\u00BF] "
        + "|\u00F0 [\u0080-\u00BF]{2}|\u00F0[\u0080-\u00BF] [\u0080-\u00BF]|\u00F0[\u0080-\u00BF]{2} ", RegexOptions.CultureInvariant)]
    private static partial Regex SpaceForA0();

    // The word à, where one space is both its second byte and the space after the word. Excludes the start of some Portuguese words.
    [GeneratedRegex("\u00C3 (?! |quele|quela|quilo|s )", RegexOptions.CultureInvariant)]
    private static partial Regex AGraveAsAWord();

    // UTF-8 with lost bytes: 1A marks a byte that was decoded to the replacement character; a single ? can also mark one.
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
/// Detects text that was decoded with the wrong encoding, by character sequences that are rare in ordinary text, such as an accented letter
/// next to a currency sign. The classes and rules are those of ftfy 6.3.
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

    // White space as in Python, and any code point except a line feed, where . would match only one surrogate.
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
        // Windows-1252: two characters from one.
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
        // Windows-1252: the rest of a no-break space.
        "Ã[\u00A0¡]",
        $"[a-z]{Space}?[ÃÂ] ",
        "^[ÃÂ] ",
        $"[a-z.,?!{Closing}]Â[ {Opening}{Closing}]",
        // Windows-1253 and Windows-1257.
        "β€[™\u00A0Ά\u00AD®°]",
        $"[ΒΓΞΟ][{GreekContinuation}][ΒΓΞΟ]",
        "ā€",
        // A character above U+FFFF, whose category IsBad checks because a regular expression over UTF-16 cannot. Must be last.
        $@"[{Accented}][{Opening}{Closing}](?<high>[\uD800-\uDBFF])[\uDC00-\uDFFF]"),
        RegexOptions.CultureInvariant);

    public static bool IsBad(string text)
    {
        for (var match = Suspicious.Match(text); match.Success; match = Suspicious.Match(text, match.Index + 1))
        {
            if (match.Groups["high"] is not { Success: true } high)
                return true;
            if (CharUnicodeInfo.GetUnicodeCategory(text, high.Index) is <= UnicodeCategory.OtherLetter
                or UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber)
                return true;
        }
        return false;
    }
}

/// <summary>
/// A single-byte encoding that may have been used by mistake. Bytes are represented by the characters U+0000 to U+00FF of a string, so that
/// regular expressions work on them. A sloppy page decodes an undefined byte to the control character of the same number, like browsers,
/// and encodes U+FFFD as the byte 1A.
/// </summary>
internal sealed class CodePage
{
    private const char Substitute = '\x1A', Replacement = '\uFFFD';

    public static readonly CodePage Latin1 = new(28591);
    public static readonly CodePage Windows1252 = new(1252, isSloppy: true);

    /// <summary>All pages in the order in which repairs try them.</summary>
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
            // .NET decodes undefined bytes of the Windows pages to private use characters. The Apple logo in MacRoman is a real one.
            var isHole = isSloppy && character is >= '\uF8F9' and <= '\uF8FD';
            _characters[value] = isHole ? (char)value : character;
        }
        if (isSloppy)
            _characters[Substitute] = Replacement;
        if (IsMacRoman)
            _characters[0xBD] = '\u03A9'; // capital omega, as in Apple's table, instead of the ohm sign
        for (var value = 0; value < 256; value++)
            _bytes.TryAdd(_characters[value], (char)value);
    }

    public bool IsSloppy { get; }

    public bool IsMacRoman { get; }

    /// <summary>The characters of a range of bytes, including both ends.</summary>
    public IEnumerable<char> Characters(int first, int last) => _characters[first..(last + 1)];

    /// <summary>The bytes that decode to <paramref name="text"/>; null if a character is not in this page.</summary>
    public string? Encode(string text)
    {
        var bytes = new char[text.Length];
        for (var i = 0; i < text.Length; i++)
        {
            if (!_bytes.TryGetValue(text[i], out bytes[i]))
                return null;
        }
        return new string(bytes);
    }

    public string Decode(string bytes) => string.Create(bytes.Length, bytes, (span, source) =>
    {
        for (var i = 0; i < span.Length; i++)
            span[i] = _characters[source[i]];
    });
}

/// <summary>
/// Decodes strict UTF-8 from bytes represented as characters. It also accepts Java's two-byte zero, which starts with C0, and surrogate
/// pairs encoded one by one (CESU-8), which start with ED.
/// </summary>
internal static class Utf8Variants
{
    /// <summary>The text; null if the bytes are not valid.</summary>
    public static string? Decode(string bytes)
    {
        var text = new StringBuilder(bytes.Length);
        var start = 0;
        for (var i = 0; i < bytes.Length; i++)
        {
            int length, codePoint;
            if (bytes[i] == '\xC0' && IsZero(bytes, i))
                (length, codePoint) = (2, 0);
            else if (bytes[i] == '\xED' && IsPair(bytes, i))
                (length, codePoint) = (6, Pair(bytes, i));
            else
                continue;

            if (!AppendUtf8(text, bytes, start, i))
                return null;
            text.Append(char.ConvertFromUtf32(codePoint));
            start = i + length;
            i = start - 1;
        }
        return AppendUtf8(text, bytes, start, bytes.Length) ? text.ToString() : null;
    }

    // In ftfy's patterns $ also matches before a final line feed, so a sequence may lack its last byte there.
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
        if (!System.Text.Unicode.Utf8.IsValid(chunk))
            return false;
        text.Append(Encoding.UTF8.GetString(chunk));
        return true;
    }
}
