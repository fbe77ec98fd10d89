using System.Buffers.Binary;

namespace SaeUnbox.Core;

/// <summary>
/// How a camera was held: the tag Orientation of Exif (CIPA DC-008, 4.6.5), 1 to 8. Viewers turn the stored pixels accordingly.
/// </summary>
internal static class ExifOrientation
{
    public const int Upright = 1;

    private const int HeaderLength = 8, EntryLength = 12;
    private const ushort Tag = 0x0112, ShortType = 3;

    private static ReadOnlySpan<byte> Prefix => "Exif\0\0"u8;

    /// <summary>Reads the body of an APP1 segment; <see cref="Upright"/> if it states no valid orientation.</summary>
    public static int Read(ReadOnlySpan<byte> segment)
    {
        if (!segment.StartsWith(Prefix) || segment.Length < Prefix.Length + HeaderLength)
            return Upright;
        var tiff = segment[Prefix.Length..];
        var isLittle = tiff[0] == 'I';
        var directory = isLittle ? BinaryPrimitives.ReadUInt32LittleEndian(tiff[4..]) : BinaryPrimitives.ReadUInt32BigEndian(tiff[4..]);
        if (directory + 2 > tiff.Length)
            return Upright;
        var entries = tiff[(int)directory..];
        var count = Short(entries);
        for (entries = entries[2..]; count-- > 0 && entries.Length >= EntryLength; entries = entries[EntryLength..])
        {
            if (Short(entries) == Tag && Short(entries[2..]) == ShortType)
                return Short(entries[8..]) is >= 1 and <= 8 and var orientation ? orientation : Upright;
        }

        return Upright;

        ushort Short(ReadOnlySpan<byte> bytes) =>
            isLittle ? BinaryPrimitives.ReadUInt16LittleEndian(bytes) : BinaryPrimitives.ReadUInt16BigEndian(bytes);
    }

    /// <summary>Turns stored pixels as a viewer shows them.</summary>
    public static Picture Turn(Picture stored, int orientation)
    {
        if (orientation == Upright)
            return stored;
        var (width, height) = orientation < 5 ? (stored.Width, stored.Height) : (stored.Height, stored.Width);
        var (right, bottom, channels) = (stored.Width - 1, stored.Height - 1, stored.Channels);
        var pixels = new byte[stored.Pixels.Length];
        for (var y = 0; y < height; y++)
        {
            for (var x = 0; x < width; x++)
            {
                var (column, row) = orientation switch
                {
                    2 => (right - x, y),
                    3 => (right - x, bottom - y),
                    4 => (x, bottom - y),
                    5 => (y, x),
                    6 => (y, bottom - x),
                    7 => (right - y, bottom - x),
                    _ => (right - y, x),
                };
                stored.Pixels.Slice(((row * stored.Width) + column) * channels, channels)
                    .CopyTo(pixels.AsSpan(((y * width) + x) * channels));
            }
        }

        return new(width, height, channels, pixels);
    }
}
