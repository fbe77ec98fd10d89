using System.Text;

namespace SaeUnbox.Models;

/// <summary>Forms of characters that stand for plainer ones: ligatures, widths, quotation marks, line ends, controls.</summary>
internal static class CharacterForms
{
    // U+FF61 to U+FF9F and U+FFE0 to U+FFEE; ? marks a place without a character.
    private const string HalfwidthKatakana =
        "。「」、・ヲァィゥェォャュョッーアイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン\u3099\u309A";
    private const string HalfwidthSymbols = "¢£¬\u00AF¦¥₩?│←↑→↓■○";

    // U+FFA1 to U+FFBE: the consonants of Hangul as conjoining letters, in the order of the compatibility letters.
    private static ReadOnlySpan<byte> HalfwidthConsonants =>
    [
        0x00, 0x01, 0xAA, 0x02, 0xAC, 0xAD, 0x03, 0x04, 0x05, 0xB0, 0xB1, 0xB2, 0xB3, 0xB4, 0xB5,
        0x1A, 0x06, 0x07, 0x08, 0x21, 0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x0E, 0x0F, 0x10, 0x11, 0x12,
    ];

    public static string SplitLigatures(string text)
    {
        if (!text.AsSpan().ContainsAny(Ligatures)) return text;
        var split = new StringBuilder(text.Length + 16);
        foreach (var c in text)
        {
            if (Parts(c) is { } parts) split.Append(parts); else split.Append(c);
        }
        return split.ToString();
    }

    private const string Ligatures = "ĲĳŉǱǲǳǄǅǆǇǈǉǊǋǌﬀﬁﬂﬃﬄﬅﬆ";

    private static string? Parts(char c) => c switch
    {
        'Ĳ' => "IJ", 'ĳ' => "ij", 'ŉ' => "ʼn",
        'Ǳ' => "DZ", 'ǲ' => "Dz", 'ǳ' => "dz", 'Ǆ' => "DŽ", 'ǅ' => "Dž", 'ǆ' => "dž",
        'Ǉ' => "LJ", 'ǈ' => "Lj", 'ǉ' => "lj", 'Ǌ' => "NJ", 'ǋ' => "Nj", 'ǌ' => "nj",
        'ﬀ' => "ff", 'ﬁ' => "fi", 'ﬂ' => "fl", 'ﬃ' => "ffi", 'ﬄ' => "ffl", 'ﬅ' => "ſt", 'ﬆ' => "st",
        _ => null,
    };

    /// <summary>Full-width letters and half-width katakana and Hangul to their ordinary widths.</summary>
    public static string NormalizeWidth(string text)
    {
        if (!text.AsSpan().ContainsAnyInRange('\u3000', '\uFFEE')) return text;
        var normal = new StringBuilder(text.Length);
        foreach (var c in text)
        {
            if (c == '\uFFE3') normal.Append(" \u0304"); else normal.Append(OrdinaryWidth(c));
        }
        return normal.ToString();
    }

    private static char OrdinaryWidth(char c) => c switch
    {
        '\u3000' => ' ',
        >= '\uFF01' and <= '\uFF5E' => (char)(c - 0xFEE0),
        '\uFF5F' => '⦅',
        '\uFF60' => '⦆',
        >= '\uFF61' and <= '\uFF9F' => HalfwidthKatakana[c - 0xFF61],
        '\uFFA0' => '\u1160',
        >= '\uFFA1' and <= '\uFFBE' => (char)(0x1100 + HalfwidthConsonants[c - 0xFFA1]),
        // The vowels stand in rows of six with two places free after each.
        >= '\uFFC2' and <= '\uFFDC' when (c - 0xFFC0) % 8 >= 2 => (char)(0x1161 + (c - 0xFFC0) / 8 * 6 + (c - 0xFFC0) % 8 - 2),
        >= '\uFFE0' and <= '\uFFEE' and not '\uFFE7' => HalfwidthSymbols[c - 0xFFE0],
        _ => c,
    };

    public static string StraightenQuotes(string text)
    {
        if (!text.AsSpan().ContainsAnyInRange('\u02BC', '\u201F')) return text;
        return string.Create(text.Length, text, (span, source) =>
        {
            for (var i = 0; i < span.Length; i++)
            {
                span[i] = source[i] switch
                {
                    '\u02BC' or (>= '\u2018' and <= '\u201B') => '\'',
                    >= '\u201C' and <= '\u201F' => '"',
                    var other => other,
                };
            }
        });
    }

    public static string UnifyLineBreaks(string text) =>
        text.Replace("\r\n", "\n").Replace('\r', '\n').Replace('\u2028', '\n').Replace('\u2029', '\n').Replace('\u0085', '\n');

    /// <summary>Halves of surrogate pairs that stand alone become the replacement character.</summary>
    public static string ReplaceLoneSurrogates(string text)
    {
        if (!text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF')) return text;
        var whole = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes()) whole.AppendCodePoint(rune.Value);
        return whole.ToString();
    }

    /// <summary>Takes out colour and cursor sequences of terminals: escape, [, digits and semicolons, a letter.</summary>
    public static string RemoveTerminalEscapes(string text)
    {
        if (!text.Contains("\x1B[", StringComparison.Ordinal)) return text;
        var kept = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '\x1B' && EscapeEnd(text, i) is var end and > 0) i = end; else kept.Append(text[i]);
        }
        return kept.ToString();
    }

    private static int EscapeEnd(string text, int start)
    {
        if (start + 1 >= text.Length || text[start + 1] != '[') return -1;
        for (int i = start + 2, length; i < text.Length; i += length)
        {
            var codePoint = CodePoints.At(text, i, out length);
            if (codePoint < 128 && char.IsAsciiLetter((char)codePoint)) return i;
            if (codePoint != ';' && !(codePoint < 0x10000 ? char.IsDigit((char)codePoint) : char.IsDigit(text, i))) return -1;
        }
        return -1;
    }

    /// <summary>Takes out controls without a visible effect; white space, C1 controls and joiners stay.</summary>
    public static string RemoveControls(string text)
    {
        var kept = new StringBuilder(text.Length);
        foreach (var c in text)
        {
            if (!IsSuperfluous(c)) kept.Append(c);
        }
        return kept.Length == text.Length ? text : kept.ToString();
    }

    private static bool IsSuperfluous(char c) => c
        is < '\t' or '\v' or (> '\r' and < ' ') or '\x7F' or (>= '\u206A' and <= '\u206F') or '\uFEFF' or (>= '\uFFF9' and <= '\uFFFC');
}
