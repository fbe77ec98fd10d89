using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace SaeUnbox.Models;

/// <summary>
/// Character references of HTML that end in a semicolon, the standard's whole list (System.Net.WebUtility knows only HTML 4's),
/// and those written all in capitals where that is no other reference: &amp;EACUTE; for the capital letter.
/// </summary>
internal static partial class HtmlEntities
{
    // References the standard also takes without a semicolon: a name in capitals that begins with one already means that.
    private static readonly string[] Bare = ["AMP", "COPY", "ETH", "GT", "LT", "QUOT", "REG", "THORN"];

    private static readonly Dictionary<string, string> Named = ReadNames();

    /// <summary>Decodes every reference once; what a decoded one spells is left for the next call.</summary>
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
        if (isHex) digits = digits[1..];
        if (digits.IsEmpty) return null;
        long number = 0;
        foreach (var digit in digits)
        {
            if (!(isHex ? char.IsAsciiHexDigit(digit) : char.IsAsciiDigit(digit))) return null;
            number = Math.Min(number * (isHex ? 16 : 10) + Convert.ToInt32(digit.ToString(), 16), 0x110000);
        }
        return number switch
        {
            ';' => null, // the reference keeps a reference that would decode to its own end mark
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
            foreach (var part in parts[1..]) value.AppendCodePoint(int.Parse(part, NumberStyles.HexNumber, CultureInfo.InvariantCulture));
            names.Add(parts[0], value.ToString());
        }
        foreach (var (name, value) in names.Where(entry => !entry.Key.Any(char.IsAsciiLetterUpper)).ToArray())
        {
            var capitals = name.ToUpperInvariant();
            if (!Bare.Any(bare => capitals.StartsWith(bare, StringComparison.Ordinal))) names.TryAdd(capitals, ToUpper(value));
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
