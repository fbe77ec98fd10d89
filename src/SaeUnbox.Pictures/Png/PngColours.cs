using System.Buffers.Binary;

namespace SaeUnbox.Pictures;

/// <summary>Turns a PNG's stored samples into RGB or RGBA.</summary>
internal abstract class PngColours(PngHeader header, int channels)
{
    protected PngHeader Header { get; } = header;

    public int Channels { get; } = channels;

    /// <summary>True where the file holds the very bytes of the picture.</summary>
    public bool AreStoredAsIs => Header is { BitDepth: 8, Colour: PngColour.Rgb or PngColour.Rgba } && Header.Samples == Channels;

    /// <summary>Writes pixel <paramref name="index"/> of an unfiltered row.</summary>
    public abstract void Convert(ReadOnlySpan<byte> row, int index, Span<byte> pixel);

    public static PngColours Create(PngHeader header, byte[]? palette, byte[]? transparency) => header.Colour switch
    {
        PngColour.Palette => new Indexed(header, palette, transparency),
        PngColour.Grey or PngColour.Rgb when transparency is not null => new Direct(header, Key(header, transparency)),
        _ => new Direct(header, null),
    };

    /// <summary>A whole sample as stored, of any bit depth.</summary>
    protected int Sample(ReadOnlySpan<byte> row, int index)
    {
        switch (Header.BitDepth)
        {
            case 8:
                return row[index];
            case 16:
                return BinaryPrimitives.ReadUInt16BigEndian(row[(index * 2)..]);
            default:
                var bit = index * Header.BitDepth;
                return (row[bit / 8] >> (8 - Header.BitDepth - (bit % 8))) & ((1 << Header.BitDepth) - 1);
        }
    }

    private static ushort[] Key(PngHeader header, byte[] transparency)
    {
        if (transparency.Length != header.Samples * 2)
            throw new PictureException("the PNG's transparent colour has the wrong length");
        return [.. Enumerable.Range(0, header.Samples).Select(i => BinaryPrimitives.ReadUInt16BigEndian(transparency.AsSpan(i * 2)))];
    }

    /// <summary>Grey or RGB samples, perhaps with alpha, perhaps with one colour that stands for transparent.</summary>
    private sealed class Direct(PngHeader header, ushort[]? key)
        : PngColours(header, header.Colour is PngColour.GreyAlpha or PngColour.Rgba || key is not null ? 4 : 3)
    {
        private readonly int _colours = header.Samples - (header.Samples % 2 == 0 ? 1 : 0);

        public override void Convert(ReadOnlySpan<byte> row, int index, Span<byte> pixel)
        {
            var first = index * Header.Samples;
            for (var i = 0; i < 3; i++)
                pixel[i] = EightBits(Sample(row, first + (_colours == 1 ? 0 : i)));
            if (key is not null)
                pixel[3] = IsKey(row, first) ? (byte)0 : byte.MaxValue;
            else if (Channels == 4)
                pixel[3] = EightBits(Sample(row, first + _colours));
        }

        private bool IsKey(ReadOnlySpan<byte> row, int first)
        {
            for (var i = 0; i < key!.Length; i++)
            {
                if (Sample(row, first + i) != key[i])
                    return false;
            }

            return true;
        }

        private byte EightBits(int sample) => (byte)(Header.BitDepth switch
        {
            16 => sample >> 8,
            8 => sample,
            _ => sample * 255 / ((1 << Header.BitDepth) - 1),
        });
    }

    /// <summary>Numbers of palette entries, perhaps with an alpha of their own.</summary>
    private sealed class Indexed : PngColours
    {
        private readonly byte[] _palette;
        private readonly byte[] _alphas;

        public Indexed(PngHeader header, byte[]? palette, byte[]? alphas)
            : base(header, alphas is null ? 3 : 4)
        {
            if (palette is null || palette.Length == 0 || palette.Length % 3 != 0 || palette.Length > 3 * 256)
                throw new PictureException("the PNG has no usable palette");
            _palette = palette;
            _alphas = alphas ?? [];
        }

        public override void Convert(ReadOnlySpan<byte> row, int index, Span<byte> pixel)
        {
            var entry = Sample(row, index);
            if (entry * 3 >= _palette.Length)
                throw new PictureException($"the PNG uses colour {entry} of a palette of {_palette.Length / 3}");
            _palette.AsSpan(entry * 3, 3).CopyTo(pixel);
            if (Channels == 4)
                pixel[3] = entry < _alphas.Length ? _alphas[entry] : byte.MaxValue;
        }
    }
}
