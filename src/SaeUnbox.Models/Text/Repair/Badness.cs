using System.Globalization;
using System.Text.RegularExpressions;

namespace SaeUnbox.Models;

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
