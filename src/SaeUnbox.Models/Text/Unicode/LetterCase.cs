using System.Globalization;
using System.Text;

namespace SaeUnbox.Models;

/// <summary>
/// Lower case with Unicode's full mappings, as Python's str.lower has it: the dotted capital I becomes two code points, and a
/// capital sigma at the end of a word becomes the final form (Unicode Standard, section 3.13, Final_Sigma).
/// </summary>
internal static class LetterCase
{
    private const int CapitalSigma = 0x3A3;

    public static string ToLower(string text)
    {
        var lower = new StringBuilder(text.Length);
        for (int i = 0, length; i < text.Length; i += length)
        {
            var codePoint = CodePoints.At(text, i, out length);
            if (codePoint == 0x130) lower.Append("i\u0307");
            else if (codePoint == CapitalSigma) lower.Append(IsFinal(text, i) ? 'ς' : 'σ');
            else if (Rune.TryCreate(codePoint, out var rune)) lower.AppendCodePoint(Rune.ToLowerInvariant(rune).Value);
            else lower.Append((char)codePoint);
        }
        return lower.ToString();
    }

    private static bool IsFinal(string text, int sigma) => Before(text, sigma) && !After(text, sigma + 1);

    private static bool Before(string text, int end)
    {
        for (var i = end - 1; i >= 0; i--)
        {
            if (i > 0 && char.IsSurrogatePair(text[i - 1], text[i])) i--;
            var codePoint = CodePoints.At(text, i, out _);
            if (!IsCaseIgnorable(codePoint)) return IsCased(codePoint);
        }
        return false;
    }

    private static bool After(string text, int start)
    {
        for (int i = start, length; i < text.Length; i += length)
        {
            var codePoint = CodePoints.At(text, i, out length);
            if (!IsCaseIgnorable(codePoint)) return IsCased(codePoint);
        }
        return false;
    }

    private static bool IsCased(int codePoint) => CharUnicodeInfo.GetUnicodeCategory(codePoint)
            is UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
        || codePoint is 0xAA or 0xBA // ordinal indicators
            or (>= 0x2160 and <= 0x217F) // Roman numerals
            or (>= 0x24B6 and <= 0x24E9) // circled letters
            or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189); // squared letters

    private static bool IsCaseIgnorable(int codePoint) => CharUnicodeInfo.GetUnicodeCategory(codePoint)
            is UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark or UnicodeCategory.Format
            or UnicodeCategory.ModifierLetter or UnicodeCategory.ModifierSymbol
        || codePoint is '\'' or '.' or ':' or 0xB7 or 0x387 or 0x55F or 0x5F4 or 0x2018 or 0x2019 or 0x2024 or 0x2027
            or 0xFE13 or 0xFE52 or 0xFE55 or 0xFF07 or 0xFF0E or 0xFF1A; // punctuation that may stand inside a word
}
