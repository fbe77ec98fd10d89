using System.IO.Compression;
using System.Runtime.InteropServices;
using SixLabors.ImageSharp.Formats.Png;
using SixLabors.ImageSharp.PixelFormats;

namespace SaeUnbox.Core;

/// <summary>
/// Reads and writes PNG files (W3C Recommendation, third edition). Chunks, checksums and texts are handled here, pixels by ImageSharp,
/// which gets only checked critical chunks.
/// </summary>
public static class Png
{
    // Signature and IHDR.
    private const int EndOfHeader = 8 + 25;

    internal static ReadOnlySpan<byte> Signature => [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A];

    public static bool IsPng(ReadOnlySpan<byte> file) => file.StartsWith(Signature);

    /// <summary>Reads every kind of PNG. 16-bit channels keep their upper byte, and grey becomes RGB.</summary>
    /// <exception cref="PictureException">The file is broken or too large.</exception>
    public static Picture Decode(ReadOnlySpan<byte> file) => PngPixels.Decode(file);

    /// <summary>Writes a picture. The same pixels and texts give the same bytes.</summary>
    /// <param name="picture">RGB or RGBA.</param>
    /// <param name="texts">Texts by keyword, written as iTXt chunks. A keyword has 1 to 79 printable ASCII characters.</param>
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

    /// <summary>Finds the text of a keyword (tEXt, zTXt or iTXt); null for none.</summary>
    /// <exception cref="PictureException">The file is not a PNG, is broken, or the text is too long.</exception>
    public static string? FindText(ReadOnlySpan<byte> file, string keyword) => PngText.Find(file, keyword);
}

/// <summary>The three kinds of text chunk: tEXt (Latin-1), zTXt (compressed Latin-1) and iTXt (UTF-8, optionally compressed).</summary>
internal static class PngText
{
    public const string International = "iTXt";
    private const int MaxKeyword = 79;

    // Without a limit, a hostile chunk of one megabyte unpacks to a gigabyte.
    private const int MaxBytes = 1 << 23;

    public static byte[] Pack(string keyword, string text)
    {
        if (keyword.Length is 0 or > MaxKeyword || keyword.Any(c => c is < ' ' or > '~'))
            throw new ArgumentException($"a PNG keyword has 1 to {MaxKeyword} printable ASCII characters", nameof(keyword));
        // Keyword, not compressed, method 0, no language, no translated keyword, text.
        return [.. Encoding.Latin1.GetBytes(keyword), 0, 0, 0, 0, 0, .. Encoding.UTF8.GetBytes(text)];
    }

    public static string? Find(ReadOnlySpan<byte> file, string keyword)
    {
        var chunks = new PngChunks(file);
        while (chunks.Next())
        {
            if (chunks.Type is not ("tEXt" or "zTXt" or International))
                continue;
            var data = chunks.Data;
            if (Encoding.Latin1.GetString(UpToZero(ref data)) == keyword)
                return Unpack(chunks.Type, data);
        }

        return null;
    }

    private static string Unpack(string type, ReadOnlySpan<byte> data)
    {
        if (type == "tEXt")
            return Encoding.Latin1.GetString(data);
        if (type == "zTXt")
            return Encoding.Latin1.GetString(Inflate(Skip(data, 1)));
        var compressed = !data.IsEmpty && data[0] != 0;
        data = Skip(data, 2);
        UpToZero(ref data); // language
        UpToZero(ref data); // translated keyword
        return Encoding.UTF8.GetString(compressed ? Inflate(data) : data);
    }

    private static ReadOnlySpan<byte> UpToZero(ref ReadOnlySpan<byte> data)
    {
        var length = data.IndexOf((byte)0);
        if (length < 0)
            throw new PictureException("the PNG has a text chunk whose keyword does not end");
        var text = data[..length];
        data = data[(length + 1)..];
        return text;
    }

    private static ReadOnlySpan<byte> Skip(ReadOnlySpan<byte> data, int count) =>
        data.Length >= count ? data[count..] : throw new PictureException("the PNG has a text chunk that ends too soon");

    private static ReadOnlySpan<byte> Inflate(ReadOnlySpan<byte> data)
    {
        using var unpacked = new ZLibStream(new MemoryStream(data.ToArray()), CompressionMode.Decompress);
        var bytes = new byte[MaxBytes];
        try
        {
            var length = unpacked.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            return length < bytes.Length || unpacked.ReadByte() < 0
                ? bytes.AsSpan(0, length)
                : throw new PictureException($"the PNG has a text of more than {MaxBytes} bytes");
        }
        catch (InvalidDataException error)
        {
            throw new PictureException("the PNG has a compressed text that cannot be unpacked", error);
        }
    }
}

/// <summary>
/// Reads and writes a PNG's pixels with ImageSharp. Each pass of an interlaced picture is decoded as a separate picture, and always with as
/// many samples as the header requires: ImageSharp 2.1 reads missing samples as transparent, and loops forever on an interlaced picture
/// that is less than five pixels wide or has too little data.
/// </summary>
internal static class PngPixels
{
    public static Picture Decode(ReadOnlySpan<byte> file)
    {
        var chunks = PngCriticalChunks.Read(file);
        var (width, height, channels) = (chunks.Header.Width, chunks.Header.Height, chunks.HasAlpha ? 4 : 3);
        using var samples = new ZLibStream(chunks.OpenSamples(), CompressionMode.Decompress);
        if (!chunks.Header.Interlaced)
            return new(width, height, channels, DecodePart(chunks, samples, width, height));
        var pixels = new byte[width * height * channels];
        foreach (var pass in PngPass.Adam7)
        {
            var (columns, rows) = pass.SizeIn(width, height);
            if (columns > 0 && rows > 0)
                pass.Spread(DecodePart(chunks, samples, columns, rows), columns, channels, pixels, width);
        }

        return new(width, height, channels, pixels);
    }

    /// <summary>Writes a PNG with critical chunks only.</summary>
    public static byte[] Encode(Picture picture) => Codec.Encode(picture, new PngEncoder
    {
        ColorType = picture.HasAlpha ? PngColorType.RgbWithAlpha : PngColorType.Rgb,
        BitDepth = PngBitDepth.Bit8,
        FilterMethod = PngFilterMethod.Paeth,
        CompressionLevel = PngCompressionLevel.Level2, // compared with the default level 6: a fifth more bytes in a fifth of the time
        ChunkFilter = PngChunkFilter.ExcludeAll,
    });

    // Decodes the next rows as RGB or RGBA.
    private static byte[] DecodePart(PngCriticalChunks chunks, Stream samples, int columns, int rows)
    {
        var part = new byte[chunks.Header.SampleBytes(columns, rows)];
        try
        {
            samples.ReadExactly(part);
        }
        catch (Exception error) when (error is InvalidDataException or EndOfStreamException)
        {
            throw new PictureException("the PNG's pixels cannot be unpacked or are incomplete", error);
        }

        var file = chunks.ToFile(columns, rows, part);
        if (chunks.Header.BitDepth < 16)
            return chunks.HasAlpha ? Bytes<Rgba32>(file) : Bytes<Rgb24>(file);
        return chunks.HasAlpha ? UpperHalves<Rgba64>(file) : UpperHalves<Rgb48>(file);
    }

    private static byte[] Bytes<TPixel>(byte[] file)
        where TPixel : unmanaged, IPixel<TPixel> =>
        MemoryMarshal.AsBytes<TPixel>(Codec.Decode<TPixel>(new PngDecoder { IgnoreMetadata = true }, file, out _, out _)).ToArray();

    // ImageSharp itself would round 16 bits to 8 instead of truncating.
    private static byte[] UpperHalves<TPixel>(byte[] file)
        where TPixel : unmanaged, IPixel<TPixel> =>
        [.. MemoryMarshal.Cast<byte, ushort>(Bytes<TPixel>(file)).ToArray().Select(sample => (byte)(sample >> 8))];
}

/// <summary>One of the seven passes of an interlaced PNG: every StepX-th column from X and every StepY-th row from Y.</summary>
internal readonly record struct PngPass(int X, int Y, int StepX, int StepY)
{
    public static readonly PngPass[] Adam7 =
        [new(0, 0, 8, 8), new(4, 0, 8, 8), new(0, 4, 4, 8), new(2, 0, 4, 4), new(0, 2, 2, 4), new(1, 0, 2, 2), new(0, 1, 1, 2)];

    /// <summary>Size of the pass in a picture of this size; may be 0.</summary>
    public (int Columns, int Rows) SizeIn(int width, int height) => ((width - X + StepX - 1) / StepX, (height - Y + StepY - 1) / StepY);

    /// <summary>Copies the pixels of the pass to their positions.</summary>
    public void Spread(ReadOnlySpan<byte> part, int columns, int channels, Span<byte> pixels, int width)
    {
        for (var from = 0; from < part.Length; from += channels)
        {
            var (row, column) = Math.DivRem(from / channels, columns);
            part.Slice(from, channels).CopyTo(pixels[((((Y + (row * StepY)) * width) + X + (column * StepX)) * channels)..]);
        }
    }
}
