namespace SaeUnbox.Core;

/// <summary>
/// PNG files (W3C Recommendation, third edition). Chunks, their checksums and texts are read and written here, pixels by the codec library:
/// what comes from outside reaches it checked, and without what it need not see.
/// </summary>
public static class Png
{
    // Signature and IHDR.
    private const int EndOfHeader = 8 + 25;

    internal static ReadOnlySpan<byte> Signature => [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A];

    public static bool IsPng(ReadOnlySpan<byte> file) => file.StartsWith(Signature);

    /// <summary>Reads every kind of PNG; 16-bit channels keep their upper half, grey becomes RGB.</summary>
    /// <exception cref="PictureException">The file is broken or too large.</exception>
    public static Picture Decode(ReadOnlySpan<byte> file) => PngPixels.Decode(file);

    /// <summary>Writes a picture: the same pixels and texts give the same bytes.</summary>
    /// <param name="picture">RGB or RGBA.</param>
    /// <param name="texts">Text chunks (iTXt): keyword, of 1 to 79 Latin characters, and text.</param>
    public static byte[] Encode(Picture picture, IReadOnlyDictionary<string, string>? texts = null)
    {
        ReadOnlySpan<byte> plain = PngPixels.Encode(picture);
        using var file = new MemoryStream(plain.Length);
        file.Write(plain[..EndOfHeader]);
        foreach (var (keyword, text) in texts ?? new Dictionary<string, string>())
            PngChunks.Write(file, PngText.International, PngText.Pack(keyword, text));
        file.Write(plain[EndOfHeader..]);
        return file.ToArray();
    }

    /// <summary>The text that a PNG carries under a keyword (tEXt, zTXt or iTXt); null where it has none.</summary>
    /// <exception cref="PictureException">The file is no PNG, or broken, or the text is too long.</exception>
    public static string? FindText(ReadOnlySpan<byte> file, string keyword) => PngText.Find(file, keyword);
}
