using System.IO.Compression;
using System.Text.Json;

namespace SaeUnbox.Serving;

/// <summary>Stores records as JSON, compressed by Brotli: masks and names repeat.</summary>
internal static class PackedJson
{
    // Of an unpacked record. What packs better than this is no record of an atlas.
    private const int MaxLength = 1 << 20;

    public static byte[] Of<T>(T value)
    {
        using var packed = new MemoryStream();
        using (var brotli = new BrotliStream(packed, CompressionLevel.SmallestSize))
            JsonSerializer.Serialize(brotli, value);
        return packed.ToArray();
    }

    /// <exception cref="InvalidDataException">The bytes are broken or too long.</exception>
    /// <exception cref="InvalidOperationException">The bytes are broken.</exception>
    /// <exception cref="JsonException">They hold something else.</exception>
    public static T Read<T>(byte[] bytes)
    {
        using var brotli = new BrotliStream(new MemoryStream(bytes), CompressionMode.Decompress);
        var json = new byte[MaxLength];
        var length = brotli.ReadAtLeast(json, json.Length, throwOnEndOfStream: false);
        return length < MaxLength
            ? JsonSerializer.Deserialize<T>(json.AsSpan(0, length)) ?? throw new InvalidDataException("a record is empty.")
            : throw new InvalidDataException("a record is too long.");
    }
}
