using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace SaeUnbox.Models;

/// <summary>Cleans a prompt, or a part of one between special tokens.</summary>
internal static class PromptText
{
    /// <summary>Returns clean text in lower case, with single spaces.</summary>
    public static string Clean(string text, TextCleaning cleaning) => cleaning == TextCleaning.Ftfy
        ? LetterCase.ToLower(JoinWords(TextRepair.Fix(text)))
        : LetterCase.ToLower(JoinWords(CanonicalForm.Compose(KeepVisible(text))));

    private static string JoinWords(string text)
    {
        var joined = new StringBuilder(text.Length);
        var pending = false;
        foreach (var c in text)
        {
            if (CodePoints.IsSpace(c))
            {
                pending = joined.Length > 0;
                continue;
            }
            if (pending)
                joined.Append(' ');
            pending = false;
            joined.Append(c);
        }
        return joined.ToString();
    }

    // As in BERT's basic tokenizer: removes control characters and puts spaces around ideographs.
    private static string KeepVisible(string text)
    {
        var kept = new StringBuilder(text.Length);
        for (int i = 0, length; i < text.Length; i += length)
        {
            var codePoint = CodePoints.At(text, i, out length);
            if (codePoint is '\t' or '\n' or '\r' || CodePoints.IsSeparator(codePoint))
                kept.Append(' ');
            else if (codePoint == 0xFFFD || CodePoints.IsOther(codePoint))
                continue;
            else if (IsIdeograph(codePoint))
                kept.Append(' ').AppendCodePoint(codePoint).Append(' ');
            else
                kept.AppendCodePoint(codePoint);
        }
        return kept.ToString();
    }

    private static bool IsIdeograph(int codePoint) => codePoint is (>= 0x4E00 and <= 0x9FFF) or (>= 0x3400 and <= 0x4DBF)
        or (>= 0x20000 and <= 0x2A6DF) or (>= 0x2A700 and <= 0x2CEAF) or (>= 0xF900 and <= 0xFAFF) or (>= 0x2F800 and <= 0x2FA1F);
}

/// <summary>How a tokenizer cleans text before it splits it into words.</summary>
public enum TextCleaning
{
    /// <summary>Repairs wrong encodings and typography like the Python package ftfy, as in training. This is the default.</summary>
    Ftfy,

    /// <summary>The basic cleaning of BERT, which transformers uses if ftfy is not installed.</summary>
    Basic,
}

/// <summary>
/// Repairs text like ftfy.fix_text (version 6.3, default settings): decodes HTML character references, repairs mojibake and replaces
/// typographic characters by plain ones. It repeats this for each line until nothing changes.
/// </summary>
internal static class TextRepair
{
    private const int MaxSegmentLength = 1_000_000; // code points
    private const long Budget = 10_000_000; // characters

    public static string Fix(string text)
    {
        var result = new StringBuilder(text.Length);
        var budget = new WorkBudget(Budget + 4L * text.Length);
        var isHtml = false;
        for (var start = 0; start < text.Length;)
        {
            var end = SegmentEnd(text, start);
            var segment = text[start..end];
            // A literal < means that the text is HTML, whose references are intended; this applies from this line on.
            isHtml |= segment.Contains('<');
            result.Append(FixSegment(segment, !isHtml, budget));
            start = end;
        }
        return result.ToString();
    }

    private static int SegmentEnd(string text, int start)
    {
        var end = text.IndexOf('\n', start) is var lineFeed and >= 0 ? lineFeed + 1 : text.Length;
        if (end - start <= MaxSegmentLength)
            return end;
        var cut = start;
        for (var count = 0; count < MaxSegmentLength && cut < end; count++)
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
            if (decodeReferences)
                text = HtmlEntities.Decode(text);
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
            if (text == before)
                break;
        }
        return text;
    }
}

/// <summary>
/// Limits the number of characters that all repairs of a text may process. A hostile text could need one more pass after each pass; it
/// stays partly repaired. Ordinary text takes two passes.
/// </summary>
internal sealed class WorkBudget(long characters)
{
    private long _left = characters;

    /// <summary>Takes this many characters from the budget. False if it is exhausted.</summary>
    public bool Spend(int characters) => (_left -= characters + 1) >= 0;
}

/// <summary>
/// Decodes HTML character references that end in a semicolon. It knows all of HTML 5 (System.Net.WebUtility knows only HTML 4), and names
/// in capitals for capital letters, such as &amp;EACUTE;.
/// </summary>
internal static partial class HtmlEntities
{
    // HTML also accepts these without a semicolon, so a name in capitals that starts with one already has another meaning.
    private static readonly string[] Bare = ["AMP", "COPY", "ETH", "GT", "LT", "QUOT", "REG", "THORN"];

    private static readonly Dictionary<string, string> Named = ReadNames();

    /// <summary>Decodes each reference once. References in the result are left for the next call.</summary>
    public static string Decode(string text) => text.Contains('&') ? Reference().Replace(text, Decode) : text;

    private static string Decode(Match reference)
    {
        var name = reference.ValueSpan[1..^1];
        var decoded = name[0] == '#'
            ? DecodeNumber(name[1..])
            : Named.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(name, out var known) ? known : null;
        return decoded ?? reference.Value;
    }

    private static string? DecodeNumber(ReadOnlySpan<char> digits)
    {
        var isHex = digits[0] is 'x' or 'X';
        if (isHex)
            digits = digits[1..];
        if (digits.IsEmpty)
            return null;
        long number = 0;
        foreach (var digit in digits)
        {
            if (!(isHex ? char.IsAsciiHexDigit(digit) : char.IsAsciiDigit(digit)))
                return null;
            number = Math.Min(number * (isHex ? 16 : 10) + Convert.ToInt32(digit.ToString(), 16), 0x110000);
        }
        return number switch
        {
            ';' => null, // ftfy keeps a reference that would decode to a semicolon
            0 or (>= 0xD800 and <= 0xDFFF) or > 0x10FFFF => "\uFFFD",
            >= 0x80 and <= 0x9F => CodePage.Windows1252.Decode(((char)number).ToString()),
            < ' ' and not ('\t' or '\n' or '\f' or '\r') or 0x7F or (>= 0xFDD0 and <= 0xFDEF) => "",
            _ when (number & 0xFFFE) == 0xFFFE => "",
            _ => char.ConvertFromUtf32((int)number),
        };
    }

    private static Dictionary<string, string> ReadNames()
    {
        var names = new Dictionary<string, string>();
        foreach (var line in TextResource.Lines("entities.txt"))
        {
            var parts = line.Split(' ');
            var value = new StringBuilder();
            foreach (var part in parts[1..])
                value.AppendCodePoint(int.Parse(part, NumberStyles.HexNumber, CultureInfo.InvariantCulture));
            names.Add(parts[0], value.ToString());
        }
        foreach (var (name, value) in names.Where(entry => !entry.Key.Any(char.IsAsciiLetterUpper)).ToArray())
        {
            var capitals = name.ToUpperInvariant();
            if (!Bare.Any(bare => capitals.StartsWith(bare, StringComparison.Ordinal)))
                names.TryAdd(capitals, ToUpper(value));
        }
        return names;
    }

    private static string ToUpper(string value) => value switch
    {
        "ß" => "SS",
        "ı" => "I",
        _ => CharacterForms.SplitLigatures(value).ToUpperInvariant(),
    };

    [GeneratedRegex("&(?:[0-9A-Za-z]{1,24}|#[0-9A-Za-z]{1,24});", RegexOptions.CultureInvariant)]
    private static partial Regex Reference();
}

/// <summary>Replaces typographic characters by plain ones and removes invisible ones.</summary>
internal static class CharacterForms
{
    // U+FF61 to U+FF9F, and U+FFE0 to U+FFEE with ? for the undefined character.
    private const string HalfwidthKatakana =
        "。「」、・ヲァィゥェォャュョッーアイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン\u3099\u309A";
    private const string HalfwidthSymbols = "¢£¬\u00AF¦¥₩?│←↑→↓■○";

    // U+FFA1 to U+FFBE: offsets of the conjoining Hangul consonants from U+1100.
    private static ReadOnlySpan<byte> HalfwidthConsonants =>
    [
        0x00, 0x01, 0xAA, 0x02, 0xAC, 0xAD, 0x03, 0x04, 0x05, 0xB0, 0xB1, 0xB2, 0xB3, 0xB4, 0xB5,
        0x1A, 0x06, 0x07, 0x08, 0x21, 0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x0E, 0x0F, 0x10, 0x11, 0x12,
    ];

    public static string SplitLigatures(string text)
    {
        if (!text.AsSpan().ContainsAny(Ligatures))
            return text;
        var split = new StringBuilder(text.Length + 16);
        foreach (var c in text)
            split.Append(Parts(c) ?? c.ToString());
        return split.ToString();
    }

    private const string Ligatures = "ĲĳŉǱǲǳǄǅǆǇǈǉǊǋǌﬀﬁﬂﬃﬄﬅﬆ";

    private static string? Parts(char c) => c switch
    {
        'Ĳ' => "IJ",
        'ĳ' => "ij",
        'ŉ' => "ʼn",
        'Ǳ' => "DZ",
        'ǲ' => "Dz",
        'ǳ' => "dz",
        'Ǆ' => "DŽ",
        'ǅ' => "Dž",
        'ǆ' => "dž",
        'Ǉ' => "LJ",
        'ǈ' => "Lj",
        'ǉ' => "lj",
        'Ǌ' => "NJ",
        'ǋ' => "Nj",
        'ǌ' => "nj",
        'ﬀ' => "ff",
        'ﬁ' => "fi",
        'ﬂ' => "fl",
        'ﬃ' => "ffi",
        'ﬄ' => "ffl",
        'ﬅ' => "ſt",
        'ﬆ' => "st",
        _ => null,
    };

    /// <summary>Converts full-width letters, and half-width katakana and Hangul, to their usual widths.</summary>
    public static string NormalizeWidth(string text)
    {
        if (!text.AsSpan().ContainsAnyInRange('\u3000', '\uFFEE'))
            return text;
        var normal = new StringBuilder(text.Length);
        foreach (var c in text)
            normal.Append(c == '\uFFE3' ? " \u0304" : OrdinaryWidth(c).ToString());
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
        // Each group of eight has six vowels after two undefined characters.
        >= '\uFFC2' and <= '\uFFDC' when (c - 0xFFC0) % 8 >= 2 => (char)(0x1161 + (c - 0xFFC0) / 8 * 6 + (c - 0xFFC0) % 8 - 2),
        >= '\uFFE0' and <= '\uFFEE' and not '\uFFE7' => HalfwidthSymbols[c - 0xFFE0],
        _ => c,
    };

    public static string StraightenQuotes(string text)
    {
        if (!text.AsSpan().ContainsAnyInRange('\u02BC', '\u201F'))
            return text;
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

    /// <summary>Replaces lone surrogates by U+FFFD.</summary>
    public static string ReplaceLoneSurrogates(string text)
    {
        if (!text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF'))
            return text;
        var whole = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
            whole.AppendCodePoint(rune.Value);
        return whole.ToString();
    }

    /// <summary>Removes terminal escape sequences: escape, [, digits and semicolons, a letter.</summary>
    public static string RemoveTerminalEscapes(string text)
    {
        if (!text.Contains("\x1B[", StringComparison.Ordinal))
            return text;
        var kept = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '\x1B' && EscapeEnd(text, i) is var end and > 0)
                i = end;
            else
                kept.Append(text[i]);
        }
        return kept.ToString();
    }

    private static int EscapeEnd(string text, int start)
    {
        if (start + 1 >= text.Length || text[start + 1] != '[')
            return -1;
        for (int i = start + 2, length; i < text.Length; i += length)
        {
            var codePoint = CodePoints.At(text, i, out length);
            if (codePoint < 128 && char.IsAsciiLetter((char)codePoint))
                return i;
            if (codePoint != ';' && !(codePoint < 0x10000 ? char.IsDigit((char)codePoint) : char.IsDigit(text, i)))
                return -1;
        }
        return -1;
    }

    /// <summary>Removes control characters that have no visible effect. White space, C1 controls and joiners stay.</summary>
    public static string RemoveControls(string text)
    {
        var kept = new StringBuilder(text.Length);
        foreach (var c in text)
        {
            if (!IsSuperfluous(c))
                kept.Append(c);
        }
        return kept.Length == text.Length ? text : kept.ToString();
    }

    private static bool IsSuperfluous(char c) => c
        is < '\t' or '\v' or (> '\r' and < ' ') or '\x7F' or (>= '\u206A' and <= '\u206F') or '\uFEFF' or (>= '\uFFF9' and <= '\uFFFC');
}
