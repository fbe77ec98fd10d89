using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;

namespace SaeUnbox.Core;

/// <summary>Walks the chunks of a PNG file, each checked by its CRC, up to and without IEND.</summary>
internal ref struct PngChunks
{
    private const int Overhead = 12;

    private ReadOnlySpan<byte> _rest;

    public PngChunks(ReadOnlySpan<byte> file)
    {
        if (!Png.IsPng(file))
            throw new PictureException("the file is not a PNG");
        _rest = file[Png.Signature.Length..];
        Type = "";
        Data = default;
    }

    /// <summary>The four letters of the chunk that <see cref="Next"/> came to.</summary>
    public string Type { get; private set; }

    public ReadOnlySpan<byte> Data { get; private set; }

    public bool Next()
    {
        if (_rest.Length < Overhead)
            throw new PictureException("the PNG ends before its last chunk");
        var length = BinaryPrimitives.ReadUInt32BigEndian(_rest);
        if (length > _rest.Length - Overhead)
            throw new PictureException($"the PNG has a chunk of {length} bytes, more than are left of the file");
        var body = _rest.Slice(4, (int)length + 4);
        if (Crc32.HashToUInt32(body) != BinaryPrimitives.ReadUInt32BigEndian(_rest[(body.Length + 4)..]))
            throw new PictureException("a chunk of the PNG does not match its checksum");
        Type = Encoding.Latin1.GetString(body[..4]);
        Data = body[4..];
        _rest = _rest[((int)length + Overhead)..];
        return Type != "IEND";
    }

    public static void Write(Stream file, string type, ReadOnlySpan<byte> data)
    {
        Span<byte> number = stackalloc byte[4];
        Span<byte> name = stackalloc byte[4];
        Encoding.Latin1.GetBytes(type, name);
        BinaryPrimitives.WriteInt32BigEndian(number, data.Length);
        file.Write(number);
        file.Write(name);
        file.Write(data);
        var crc = new Crc32();
        crc.Append(name);
        crc.Append(data);
        BinaryPrimitives.WriteUInt32BigEndian(number, crc.GetCurrentHashAsUInt32());
        file.Write(number);
    }
}
