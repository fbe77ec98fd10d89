using System.Text;

namespace SaeUnbox.Models;

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
