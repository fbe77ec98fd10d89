namespace SaeUnbox.Lab;

/// <summary>Tiles that show what features are about: the part of the first picture around where the feature is strongest.</summary>
internal sealed class TileSheet(int side)
{
    private const double Share = .5;
    private const int Quality = 82;
    private readonly List<Picture> _tiles = [];

    public int Count => _tiles.Count;

    /// <returns>The tile's number.</returns>
    public int Add(byte[] jpeg, BrushMask heat)
    {
        var picture = Jpeg.Decode(jpeg);
        var length = Math.Max(1, (int)(Share * Math.Min(picture.Width, picture.Height)));
        var (x, y) = Centre(heat);
        var left = Math.Clamp((int)(x * picture.Width) - length / 2, 0, picture.Width - length);
        var top = Math.Clamp((int)(y * picture.Height) - length / 2, 0, picture.Height - length);
        _tiles.Add(PictureScaling.Resize(picture, left, top, length, length, side, side));
        return _tiles.Count - 1;
    }

    public AtlasSprite Finish(HookSite site)
    {
        var columns = (int)Math.Ceiling(Math.Sqrt(_tiles.Count));
        var (width, height) = (columns * side, (_tiles.Count + columns - 1) / columns * side);
        var pixels = new byte[width * height * 3];
        foreach (var (number, tile) in _tiles.Index())
            for (var row = 0; row < side; row++)
                tile.Pixels.Slice(row * side * 3, side * 3).CopyTo(pixels.AsSpan((((number / columns * side) + row) * width + number % columns * side) * 3));
        return new(site, side, columns, width, height, Jpeg.Encode(new Picture(width, height, 3, pixels), Quality));
    }

    // The middle of the strong cells, from 0 to 1: a single strongest one may be an outlier.
    private static (double X, double Y) Centre(BrushMask heat)
    {
        double x = 0, y = 0, total = 0;
        for (var row = 0; row < heat.Rows; row++)
            for (var column = 0; column < heat.Columns; column++)
            {
                var weight = Math.Pow(heat[row, column], 4);
                (x, y, total) = (x + weight * (column + .5), y + weight * (row + .5), total + weight);
            }
        return total > 0 ? (x / total / heat.Columns, y / total / heat.Rows) : (.5, .5);
    }
}
