using System.Globalization;
using System.Text;

namespace SaeUnbox.Models;

/// <summary>
/// Classes of code points as the reference's regular expressions and string methods know them; of the runtime's version of Unicode,
/// so that a letter newer than the reference's own version is a letter here already.
/// </summary>
internal static class CodePoints
{
    /// <summary>The code point at <paramref name="index"/>; a lone surrogate stands for itself.</summary>
    public static int At(ReadOnlySpan<char> text, int index, out int length)
    {
        length = 1;
        var unit = text[index];
        if (!char.IsHighSurrogate(unit) || index + 1 >= text.Length || !char.IsLowSurrogate(text[index + 1])) return unit;
        length = 2;
        return char.ConvertToUtf32(unit, text[index + 1]);
    }

    public static StringBuilder AppendCodePoint(this StringBuilder builder, int codePoint) => codePoint < 0x10000
        ? builder.Append((char)codePoint)
        : builder.Append((char)(0xD800 + ((codePoint - 0x10000) >> 10))).Append((char)(0xDC00 + ((codePoint - 0x10000) & 0x3FF)));

    /// <summary>\p{L}.</summary>
    public static bool IsLetter(int codePoint) => CharUnicodeInfo.GetUnicodeCategory(codePoint) <= UnicodeCategory.OtherLetter;

    /// <summary>\p{N}: decimal digits, letter numbers and other numbers.</summary>
    public static bool IsNumber(int codePoint) => CharUnicodeInfo.GetUnicodeCategory(codePoint)
        is UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber;

    /// <summary>Python's str.isspace, which also counts the information separators U+001C to U+001F.</summary>
    public static bool IsSpace(int codePoint) => codePoint is >= 0x1C and <= 0x1F
        || (codePoint < 0x10000 && char.IsWhiteSpace((char)codePoint));

    /// <summary>Category Zs.</summary>
    public static bool IsSeparator(int codePoint) => CharUnicodeInfo.GetUnicodeCategory(codePoint) == UnicodeCategory.SpaceSeparator;

    /// <summary>Category C: control, format, surrogate, private use and unassigned.</summary>
    public static bool IsOther(int codePoint) => CharUnicodeInfo.GetUnicodeCategory(codePoint)
        is >= UnicodeCategory.Control and <= UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned;
}
