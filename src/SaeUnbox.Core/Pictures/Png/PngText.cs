using System.IO.Compression;
using System.Text;

namespace SaeUnbox.Core;

/// <summary>The three kinds of text chunk: Latin-1, the same compressed, and UTF-8 (perhaps compressed).</summary>
internal static class PngText
{
    public const string International = "iTXt";
    private const int MaxKeyword = 79;

    // A hostile chunk of a megabyte unpacks to a gigabyte.
    private const int MaxBytes = 1 << 23;

    public static byte[] Pack(string keyword, string text)
    {
        if (keyword.Length is 0 or > MaxKeyword || keyword.Any(c => c is < ' ' or > '~'))
            throw new ArgumentException($"a PNG keyword has 1 to {MaxKeyword} plain letters", nameof(keyword));
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
            throw new PictureException("the PNG has a text chunk without an end to its keyword");
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
