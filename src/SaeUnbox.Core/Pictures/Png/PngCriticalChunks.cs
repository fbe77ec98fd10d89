using System.IO.Compression;

namespace SaeUnbox.Core;

/// <summary>What of a PNG says how its pixels look: header, palette, transparency and the packed samples. All else is left out.</summary>
internal sealed class PngCriticalChunks
{
    private const int MostColours = 256;

    private readonly MemoryStream _packed = new();
    private byte[]? _palette;
    private byte[]? _transparency;

    private PngCriticalChunks()
    {
    }

    public PngHeader Header { get; private set; }

    public bool HasAlpha => Header.Colour is PngColour.GreyAlpha or PngColour.Rgba || _transparency is not null;

    /// <summary>Reads and checks them, without unpacking anything.</summary>
    /// <exception cref="PictureException">One is missing or broken, or the size is out of bounds.</exception>
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

    /// <summary>The packed samples of all IDAT chunks.</summary>
    public Stream OpenSamples() => new MemoryStream(_packed.GetBuffer(), 0, (int)_packed.Length, writable: false);

    /// <summary>A PNG file of some of the samples: of the same kind, but not interlaced.</summary>
    /// <param name="width">Columns of the part.</param>
    /// <param name="height">Rows of the part.</param>
    /// <param name="samples">Its filtered rows.</param>
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
                throw new PictureException("the PNG has a critical chunk that cannot be read here");
        }
    }

    private void CheckColours()
    {
        if (Header.Colour != PngColour.Palette)
        {
            _palette = null; // a mere suggestion there
            if (_transparency is not null && _transparency.Length != Header.Samples * 2)
                throw new PictureException("the PNG's transparent colour has the wrong length");
        }
        else if (_palette is null || _palette.Length == 0 || _palette.Length % 3 != 0 || _palette.Length > 3 * MostColours)
        {
            throw new PictureException("the PNG has no usable palette");
        }
    }
}
