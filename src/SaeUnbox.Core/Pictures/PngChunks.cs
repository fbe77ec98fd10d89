using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Hashing;

namespace SaeUnbox.Core;

/// <summary>Reads the chunks of a PNG file up to IEND, and checks their CRCs.</summary>
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

    /// <summary>Type of the current chunk, four letters.</summary>
    public string Type { get; private set; }

    public ReadOnlySpan<byte> Data { get; private set; }

    public bool Next()
    {
        if (_rest.Length < Overhead)
            throw new PictureException("the PNG ends before its last chunk");
        var length = BinaryPrimitives.ReadUInt32BigEndian(_rest);
        if (length > _rest.Length - Overhead)
            throw new PictureException($"the PNG has a chunk of {length} bytes, longer than the rest of the file");
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

/// <summary>The IHDR chunk.</summary>
internal readonly record struct PngHeader(int Width, int Height, int BitDepth, PngColour Colour, bool Interlaced)
{
    private const int Length = 13;

    public static PngHeader Parse(ReadOnlySpan<byte> data)
    {
        if (data.Length != Length)
            throw new PictureException("the PNG's header has the wrong length");
        var (width, height) = (BinaryPrimitives.ReadUInt32BigEndian(data), BinaryPrimitives.ReadUInt32BigEndian(data[4..]));
        Picture.CheckSize(width, height);
        var header = new PngHeader((int)width, (int)height, data[8], (PngColour)data[9], data[12] == 1);
        var depths = header.Colour switch
        {
            PngColour.Grey => "1 2 4 8 16",
            PngColour.Palette => "1 2 4 8",
            PngColour.Rgb or PngColour.GreyAlpha or PngColour.Rgba => "8 16",
            _ => throw new PictureException($"the PNG has the unknown colour type {data[9]}"),
        };
        if (!depths.Split(' ').Contains(header.BitDepth.ToString(CultureInfo.InvariantCulture))
            || data[10] != 0
            || data[11] != 0
            || data[12] > 1)
            throw new PictureException("the PNG's header names a bit depth, compression, filter or interlacing that does not exist");
        return header;
    }

    public int Samples => Colour switch
    {
        PngColour.Rgb => 3,
        PngColour.GreyAlpha => 2,
        PngColour.Rgba => 4,
        _ => 1,
    };

    /// <summary>Size in bytes of filtered rows, including the filter byte of each.</summary>
    public long SampleBytes(int columns, int rows) => rows * (1 + ((((long)columns * Samples * BitDepth) + 7) / 8));

    public byte[] ToBytes()
    {
        var data = new byte[Length];
        BinaryPrimitives.WriteInt32BigEndian(data, Width);
        BinaryPrimitives.WriteInt32BigEndian(data.AsSpan(4), Height);
        (data[8], data[9], data[12]) = ((byte)BitDepth, (byte)Colour, (byte)(Interlaced ? 1 : 0));
        return data;
    }
}

internal enum PngColour : byte
{
    Grey = 0,
    Rgb = 2,
    Palette = 3,
    GreyAlpha = 4,
    Rgba = 6,
}

/// <summary>The chunks that determine a PNG's pixels: header, palette, transparency and samples. All others are dropped.</summary>
internal sealed class PngCriticalChunks
{
    private const int MaxColours = 256;

    private readonly MemoryStream _packed = new();
    private byte[]? _palette;
    private byte[]? _transparency;

    private PngCriticalChunks()
    {
    }

    public PngHeader Header { get; private set; }

    public bool HasAlpha => Header.Colour is PngColour.GreyAlpha or PngColour.Rgba || _transparency is not null;

    /// <summary>Reads and checks the chunks without unpacking the samples.</summary>
    /// <exception cref="PictureException">A chunk is missing or broken, or the size is out of bounds.</exception>
    public static PngCriticalChunks Read(ReadOnlySpan<byte> file)
    {
        var found = new PngCriticalChunks();
        var chunks = new PngChunks(file);
        if (!chunks.Next() || chunks.Type != "IHDR")
            throw new PictureException("the PNG does not begin with its header");
        found.Header = PngHeader.Parse(chunks.Data);
        while (chunks.Next())
            found.Add(chunks.Type, chunks.Data);
        found.CheckColours();
        return found;
    }

    /// <summary>The compressed samples of all IDAT chunks.</summary>
    public Stream OpenSamples() => new MemoryStream(_packed.GetBuffer(), 0, (int)_packed.Length, writable: false);

    /// <summary>Writes a part of the samples as a non-interlaced PNG of the same colour type.</summary>
    /// <param name="samples">Filtered rows.</param>
    public byte[] ToFile(int width, int height, byte[] samples)
    {
        using var file = new MemoryStream();
        file.Write(Png.Signature);
        PngChunks.Write(file, "IHDR", (Header with { Width = width, Height = height, Interlaced = false }).ToBytes());
        if (_palette is not null)
            PngChunks.Write(file, "PLTE", _palette);
        if (_transparency is not null)
            PngChunks.Write(file, "tRNS", _transparency);
        using var packed = new MemoryStream();
        using (var zlib = new ZLibStream(packed, CompressionLevel.NoCompression, leaveOpen: true))
            zlib.Write(samples);
        PngChunks.Write(file, "IDAT", packed.GetBuffer().AsSpan(0, (int)packed.Length));
        PngChunks.Write(file, "IEND", []);
        return file.ToArray();
    }

    private void Add(string type, ReadOnlySpan<byte> data)
    {
        switch (type)
        {
            case "PLTE":
                _palette = data.ToArray();
                break;
            case "tRNS" when Header.Colour is PngColour.Grey or PngColour.Rgb or PngColour.Palette:
                _transparency = data.ToArray();
                break;
            case "IDAT":
                _packed.Write(data);
                break;
            case var other when char.IsAsciiLetterUpper(other[0]):
                throw new PictureException("the PNG has an unknown critical chunk");
        }
    }

    private void CheckColours()
    {
        if (Header.Colour != PngColour.Palette)
        {
            _palette = null; // only a suggestion for these colour types
            if (_transparency is not null && _transparency.Length != Header.Samples * 2)
                throw new PictureException("the PNG's transparent colour has the wrong length");
        }
        else if (_palette is null || _palette.Length == 0 || _palette.Length % 3 != 0 || _palette.Length > 3 * MaxColours)
        {
            throw new PictureException("the PNG has no usable palette");
        }
    }
}
