using System.IO.Compression;

namespace SaeUnbox.Pictures;

/// <summary>Reads a PNG: at most the bytes that its header asks for are unpacked.</summary>
internal sealed class PngDecoder
{
    // Adam7: first column and row of each pass, and the steps to the next ones.
    private static readonly (int X, int Y, int StepX, int StepY)[] Passes =
        [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)];

    private readonly PngHeader _header;
    private readonly PngColours _colours;
    private readonly byte[] _pixels;

    private PngDecoder(PngHeader header, PngColours colours)
    {
        _header = header;
        _colours = colours;
        _pixels = new byte[header.Width * header.Height * colours.Channels];
    }

    public static Picture Decode(ReadOnlySpan<byte> file)
    {
        var chunks = new PngChunks(file);
        if (!chunks.Next() || chunks.Type != "IHDR")
            throw new PictureException("the PNG does not begin with its header");
        var header = PngHeader.Parse(chunks.Data);
        byte[]? palette = null, transparency = null;
        var packed = new MemoryStream();
        while (chunks.Next())
        {
            switch (chunks.Type)
            {
                case "PLTE":
                    palette = chunks.Data.ToArray();
                    break;
                case "tRNS":
                    transparency = chunks.Data.ToArray();
                    break;
                case "IDAT":
                    packed.Write(chunks.Data);
                    break;
                case var type when char.IsAsciiLetterUpper(type[0]):
                    throw new PictureException($"the PNG has a critical chunk that cannot be read here");
            }
        }

        packed.Position = 0;
        var decoder = new PngDecoder(header, PngColours.Create(header, palette, transparency));
        using var rows = new ZLibStream(packed, CompressionMode.Decompress);
        try
        {
            decoder.ReadAll(rows);
        }
        catch (Exception error) when (error is InvalidDataException or EndOfStreamException)
        {
            throw new PictureException("the PNG's pixels cannot be unpacked, or are too few", error);
        }

        return new(header.Width, header.Height, decoder._colours.Channels, decoder._pixels);
    }

    private void ReadAll(Stream rows)
    {
        if (_header.Interlaced)
        {
            foreach (var (x, y, stepX, stepY) in Passes)
                ReadPass(rows, x, y, stepX, stepY);
        }
        else
        {
            ReadPass(rows, 0, 0, 1, 1);
        }
    }

    private void ReadPass(Stream rows, int x, int y, int stepX, int stepY)
    {
        var width = (_header.Width - x + stepX - 1) / stepX;
        if (width <= 0)
            return;
        var row = new byte[1 + _header.RowBytes(width)];
        var above = new byte[row.Length];
        for (; y < _header.Height; y += stepY)
        {
            rows.ReadExactly(row);
            PngFilter.Undo(row[0], row.AsSpan(1), above.AsSpan(1), _header.FilterStride);
            var target = _pixels.AsSpan(((y * _header.Width) + x) * _colours.Channels);
            if (_colours.AreStoredAsIs && stepX == 1)
                row.AsSpan(1).CopyTo(target);
            else
                ConvertRow(row.AsSpan(1), width, stepX, target);
            (row, above) = (above, row);
        }
    }

    private void ConvertRow(ReadOnlySpan<byte> row, int width, int step, Span<byte> target)
    {
        for (var i = 0; i < width; i++)
            _colours.Convert(row, i, target[(i * step * _colours.Channels)..]);
    }
}
