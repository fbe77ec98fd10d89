using System.Buffers.Binary;
using System.Globalization;

namespace SaeUnbox.Core;

/// <summary>What IHDR says.</summary>
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
        if (!depths.Split(' ').Contains(header.BitDepth.ToString(CultureInfo.InvariantCulture)) || data[10] != 0 || data[11] != 0 || data[12] > 1)
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

    /// <summary>Bytes of so many filtered rows, each with its filter's own byte.</summary>
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
