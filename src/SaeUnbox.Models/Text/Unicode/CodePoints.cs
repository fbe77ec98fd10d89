using System.Globalization;
using System.Text;

namespace SaeUnbox.Models;

/// <summary>
/// Classes of code points as in Python's string methods and the package regex. They follow the runtime's version of Unicode, which can be
/// newer than Python's.
/// </summary>
internal static class CodePoints
{
    /// <summary>The code point at <paramref name="index"/> and its number of chars. A lone surrogate is returned as it is.</summary>
    public static int At(ReadOnlySpan<char> text, int index, out int length)
    {
        length = 1;
        var unit = text[index];
        if (!char.IsHighSurrogate(unit) || index + 1 >= text.Length || !char.IsLowSurrogate(text[index + 1]))
            return unit;
        length = 2;
        return char.ConvertToUtf32(unit, text[index + 1]);
    }

    public static StringBuilder AppendCodePoint(this StringBuilder builder, int codePoint) => codePoint < 0x10000
        ? builder.Append((char)codePoint)
        : builder.Append((char)(0xD800 + ((codePoint - 0x10000) >> 10))).Append((char)(0xDC00 + ((codePoint - 0x10000) & 0x3FF)));

    /// <summary>Category L: letters.</summary>
    public static bool IsLetter(int codePoint) => CharUnicodeInfo.GetUnicodeCategory(codePoint) <= UnicodeCategory.OtherLetter;

    /// <summary>Category N: digits and other numbers.</summary>
    public static bool IsNumber(int codePoint) => CharUnicodeInfo.GetUnicodeCategory(codePoint)
        is UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber;

    /// <summary>Python's str.isspace, which includes the information separators U+001C to U+001F.</summary>
    public static bool IsSpace(int codePoint) => codePoint is >= 0x1C and <= 0x1F
        || (codePoint < 0x10000 && char.IsWhiteSpace((char)codePoint));

    /// <summary>Category Zs: spaces.</summary>
    public static bool IsSeparator(int codePoint) => CharUnicodeInfo.GetUnicodeCategory(codePoint) == UnicodeCategory.SpaceSeparator;

    /// <summary>Category C: control, format, surrogate, private use and unassigned.</summary>
    public static bool IsOther(int codePoint) => CharUnicodeInfo.GetUnicodeCategory(codePoint)
        is >= UnicodeCategory.Control and <= UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned;
}

/// <summary>
/// Python's str.lower: full Unicode lower case, where the dotted capital I becomes two code points and a capital sigma at the end of a word
/// becomes a final sigma (Unicode Standard, section 3.13, Final_Sigma).
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
            if (codePoint == 0x130)
                lower.Append("i\u0307");
            else if (codePoint == CapitalSigma)
                lower.Append(IsFinal(text, i) ? 'ς' : 'σ');
            else if (Rune.TryCreate(codePoint, out var rune))
                lower.AppendCodePoint(Rune.ToLowerInvariant(rune).Value);
            else
                lower.Append((char)codePoint);
        }
        return lower.ToString();
    }

    private static bool IsFinal(string text, int sigma) => IsAfterCased(text, sigma) && !IsBeforeCased(text, sigma + 1);

    private static bool IsAfterCased(string text, int end)
    {
        for (var i = end - 1; i >= 0; i--)
        {
            if (i > 0 && char.IsSurrogatePair(text[i - 1], text[i]))
                i--;
            var codePoint = CodePoints.At(text, i, out _);
            if (!IsCaseIgnorable(codePoint))
                return IsCased(codePoint);
        }
        return false;
    }

    private static bool IsBeforeCased(string text, int start)
    {
        for (int i = start, length; i < text.Length; i += length)
        {
            var codePoint = CodePoints.At(text, i, out length);
            if (!IsCaseIgnorable(codePoint))
                return IsCased(codePoint);
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
            or 0xFE13 or 0xFE52 or 0xFE55 or 0xFF07 or 0xFF0E or 0xFF1A; // punctuation inside words
}

/// <summary>Normalization Form C (Unicode Standard Annex 15).</summary>
internal static class CanonicalForm
{
    // string.Normalize throws on this noncharacter, which combines with nothing.
    private const char Rejected = '\uFFFE';

    /// <param name="text">Text without lone surrogates.</param>
    public static string Compose(string text) => text.Contains(Rejected)
        ? string.Join(Rejected, text.Split(Rejected).Select(part => part.Normalize(NormalizationForm.FormC)))
        : text.Normalize(NormalizationForm.FormC);
}
