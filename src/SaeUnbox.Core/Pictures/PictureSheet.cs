namespace SaeUnbox.Core;

/// <summary>Pictures side by side in rows, from the upper left, on white.</summary>
public static class PictureSheet
{
    private const int Gap = 4, Channels = 3;

    /// <param name="pictures">At least one; each is made to fit its place.</param>
    /// <param name="columns">Places in a row.</param>
    /// <param name="side">Longer side of a place in pixels; the first picture gives its shape.</param>
    /// <exception cref="PictureException">The sheet would be too large.</exception>
    public static Picture Of(IReadOnlyList<Picture> pictures, int columns, int side)
    {
        ArgumentOutOfRangeException.ThrowIfZero(pictures.Count);
        ArgumentOutOfRangeException.ThrowIfLessThan(columns, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(side, 1);
        var shape = pictures[0];
        var scale = Math.Min(1, (double)side / Math.Max(shape.Width, shape.Height));
        var (tileWidth, tileHeight) = (Math.Max(1, (int)(shape.Width * scale)), Math.Max(1, (int)(shape.Height * scale)));
        columns = Math.Min(columns, pictures.Count);
        var rows = (pictures.Count + columns - 1) / columns;
        var (width, height) = ((columns * (tileWidth + Gap)) - Gap, (rows * (tileHeight + Gap)) - Gap);
        Picture.CheckSize(width, height);
        var pixels = new byte[width * height * Channels];
        pixels.AsSpan().Fill(byte.MaxValue);
        foreach (var (number, picture) in pictures.Index())
        {
            var tile = PictureScaling.Resize(picture, tileWidth, tileHeight);
            var (top, left) = (number / columns * (tileHeight + Gap), number % columns * (tileWidth + Gap));
            for (var row = 0; row < tileHeight; row++)
                tile.Pixels.Slice(row * tileWidth * Channels, tileWidth * Channels).CopyTo(pixels.AsSpan((((top + row) * width) + left) * Channels));
        }
        return new Picture(width, height, Channels, pixels);
    }
}
