using System.IO.Compression;

namespace SaeUnbox.Pictures;

/// <summary>
/// PNG files (W3C Recommendation, third edition), read and written here rather than by a codec library: what comes from outside
/// is unpacked in bounded, managed memory, text chunks go in and out, and a frame of a live canvas is written in a few
/// milliseconds.
/// </summary>
public static class Png
{
    internal static ReadOnlySpan<byte> Signature => [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A];

    public static bool IsPng(ReadOnlySpan<byte> file) => file.StartsWith(Signature);

    /// <summary>Reads every kind of PNG; 16-bit channels keep their upper half, grey becomes RGB.</summary>
    /// <exception cref="PictureException">The file is broken or too large.</exception>
    public static Picture Decode(ReadOnlySpan<byte> file) => PngDecoder.Decode(file);

    /// <summary>Writes a picture.</summary>
    /// <param name="picture">RGB or RGBA.</param>
    /// <param name="texts">Text chunks (iTXt): keyword, of 1 to 79 Latin characters, and text.</param>
    /// <param name="level">Fastest for frames that are looked at once.</param>
    public static byte[] Encode(
        Picture picture, IReadOnlyDictionary<string, string>? texts = null, CompressionLevel level = CompressionLevel.Optimal) =>
        PngEncoder.Encode(picture, texts, level);

    /// <summary>The text that a PNG carries under a keyword (tEXt, zTXt or iTXt); null where it has none.</summary>
    /// <exception cref="PictureException">The file is no PNG, or broken, or the text is too long.</exception>
    public static string? FindText(ReadOnlySpan<byte> file, string keyword) => PngText.Find(file, keyword);
}
