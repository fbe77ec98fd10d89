using SaeUnbox.Checkpoints;
using SaeUnbox.Pictures;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Training;

/// <summary>Pictures side by side in rows, each at half its size, as a PNG.</summary>
internal sealed class ContactSheet(int tileSize)
{
    private const int Gap = 2;
    private readonly List<byte[]> _tiles = [];

    /// <param name="rgb">[row, column, colour] of a picture of twice the tile's size.</param>
    public void Add(ReadOnlySpan<byte> rgb)
    {
        var (tile, stride) = (new byte[tileSize * tileSize * 3], tileSize * 2 * 3);
        for (var row = 0; row < tileSize; row++)
            for (var column = 0; column < tileSize; column++)
                for (var color = 0; color < 3; color++)
                {
                    var at = 2 * row * stride + 2 * column * 3 + color;
                    tile[(row * tileSize + column) * 3 + color] = (byte)((rgb[at] + rgb[at + 3] + rgb[at + stride] + rgb[at + stride + 3] + 2) / 4);
                }
        _tiles.Add(tile);
    }

    /// <summary>Adds images [B, 3, H, W] from -1 to 1.</summary>
    public void Add(Tensor images)
    {
        using var scope = NewDisposeScope();
        var bytes = images.clamp(-1, 1).add(1).mul(127.5).add(.5).to_type(ScalarType.Byte).permute(0, 2, 3, 1).contiguous();
        for (var i = 0; i < bytes.shape[0]; i++)
            Add(bytes[i].contiguous().bytes);
    }

    public void Save(string path, int columns)
    {
        var rows = (_tiles.Count + columns - 1) / columns;
        var (width, height) = (columns * (tileSize + Gap) - Gap, rows * (tileSize + Gap) - Gap);
        var sheet = new byte[width * height * 3];
        sheet.AsSpan().Fill(255);
        for (var i = 0; i < _tiles.Count; i++)
            for (var row = 0; row < tileSize; row++)
                _tiles[i].AsSpan(row * tileSize * 3, tileSize * 3).CopyTo(
                    sheet.AsSpan(((i / columns * (tileSize + Gap) + row) * width + i % columns * (tileSize + Gap)) * 3));
        AtomicFile.WriteAllBytes(path, Png.Encode(new Picture(width, height, 3, sheet)));
    }
}
