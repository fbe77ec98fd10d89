using System.Text;

namespace SaeUnbox.Models;

/// <summary>
/// The 256 printable characters that stand for bytes in GPT-2's and CLIP's vocabularies: a printable byte of Latin-1 stands for
/// itself, the others, in order, are the characters from U+0100 on.
/// </summary>
internal static class ByteAlphabet
{
    private static readonly char[] Characters = BuildCharacters();
    private static readonly Dictionary<char, byte> Bytes =
        Enumerable.Range(0, 256).ToDictionary(value => Characters[value], value => (byte)value);

    public static string Encode(string word) => string.Concat(Encoding.UTF8.GetBytes(word).Select(value => Characters[value]));

    /// <summary>The text that characters of the alphabet spell; incomplete UTF-8 becomes the replacement character.</summary>
    public static string Decode(string characters)
    {
        var bytes = new List<byte>(characters.Length);
        foreach (var c in characters)
        {
            if (Bytes.TryGetValue(c, out var value)) bytes.Add(value);
            else bytes.AddRange(Encoding.UTF8.GetBytes([c]));
        }
        return Encoding.UTF8.GetString([.. bytes]);
    }

    private static char[] BuildCharacters()
    {
        var characters = new char[256];
        var next = '\u0100';
        for (var value = 0; value < 256; value++)
        {
            var isPrintable = value is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);
            characters[value] = isPrintable ? (char)value : next++;
        }
        return characters;
    }
}
