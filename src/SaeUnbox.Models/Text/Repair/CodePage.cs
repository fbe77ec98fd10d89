using System.Text;

namespace SaeUnbox.Models;

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
