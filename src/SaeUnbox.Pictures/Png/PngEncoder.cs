using System.Buffers.Binary;
using System.IO.Compression;

namespace SaeUnbox.Pictures;

/// <summary>Writes 8-bit RGB and RGBA.</summary>
internal static class PngEncoder
{
    public static byte[] Encode(Picture picture, IReadOnlyDictionary<string, string>? texts, CompressionLevel level)
    {
        using var file = new MemoryStream();
        file.Write(Png.Signature);
        Span<byte> header = stackalloc byte[13];
        header.Clear();
        BinaryPrimitives.WriteInt32BigEndian(header, picture.Width);
        BinaryPrimitives.WriteInt32BigEndian(header[4..], picture.Height);
        header[8] = 8;
        header[9] = (byte)(picture.HasAlpha ? PngColour.Rgba : PngColour.Rgb);
        PngChunks.Write(file, "IHDR", header);
        foreach (var (keyword, text) in texts ?? new Dictionary<string, string>())
            PngChunks.Write(file, PngText.International, PngText.Pack(keyword, text));
        using var packed = Pack(picture, level);
        PngChunks.Write(file, "IDAT", packed.GetBuffer().AsSpan(0, (int)packed.Length));
        PngChunks.Write(file, "IEND", []);
        return file.ToArray();
    }

    private static MemoryStream Pack(Picture picture, CompressionLevel level)
    {
        var packed = new MemoryStream();
        using var rows = new ZLibStream(packed, level, leaveOpen: true);
        var rowBytes = picture.Width * picture.Channels;
        var filtered = new byte[rowBytes + 1];
        ReadOnlySpan<byte> above = new byte[rowBytes];
        for (var y = 0; y < picture.Height; y++)
        {
            var row = picture.Pixels.Slice(y * rowBytes, rowBytes);
            if (level == CompressionLevel.Fastest)
                PngFilter.ApplyUp(row, above, filtered);
            else
                PngFilter.ApplyPaeth(row, above, picture.Channels, filtered);
            rows.Write(filtered);
            above = row;
        }

        return packed;
    }
}
