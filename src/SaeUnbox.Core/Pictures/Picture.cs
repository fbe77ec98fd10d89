namespace SaeUnbox.Core;

/// <summary>Pixels in memory: rows from the top, 8 bits a channel, red-green-blue with or without alpha.</summary>
public sealed class Picture
{
    /// <summary>Most pixels a picture may have: 4096 x 4096.</summary>
    public const int MaxPixels = 1 << 24;

    private readonly byte[] _pixels;

    /// <param name="width">Width in pixels.</param>
    /// <param name="height">Height in pixels.</param>
    /// <param name="channels">3 (RGB) or 4 (RGBA, alpha not premultiplied).</param>
    /// <param name="pixels">height x width x channels bytes. Not copied: the caller hands them over.</param>
    /// <exception cref="PictureException">The sizes do not fit or are too large.</exception>
    public Picture(int width, int height, int channels, byte[] pixels)
    {
        CheckSize(width, height);
        if (channels is not (3 or 4) || pixels.Length != width * height * channels)
            throw new PictureException($"{pixels.Length} bytes do not make a picture of {width} x {height} pixels with {channels} channels");
        (Width, Height, Channels) = (width, height, channels);
        _pixels = pixels;
    }

    public int Width { get; }

    public int Height { get; }

    /// <summary>3 or 4.</summary>
    public int Channels { get; }

    public bool HasAlpha => Channels == 4;

    /// <summary>height x width x channels bytes.</summary>
    public ReadOnlySpan<byte> Pixels => _pixels;

    /// <summary>Reads a PNG or JPEG file; the size it states is checked before anything is unpacked.</summary>
    /// <exception cref="PictureException">It is neither, it is broken, or it is too large.</exception>
    public static Picture Decode(ReadOnlySpan<byte> file) =>
        Png.IsPng(file) ? Png.Decode(file)
        : Jpeg.IsJpeg(file) ? Jpeg.Decode(file)
        : throw new PictureException("the file is neither PNG nor JPEG");

    /// <summary>
    /// One byte a pixel, above 0 where something is painted: the alpha; in a picture without alpha its brightest channel, so that a
    /// mask may be white on black, too.
    /// </summary>
    public byte[] PaintedPixels()
    {
        var painted = new byte[Width * Height];
        if (HasAlpha)
        {
            for (var i = 0; i < painted.Length; i++)
                painted[i] = _pixels[(i * 4) + 3];
            return painted;
        }

        for (var i = 0; i < painted.Length; i++)
        {
            var at = i * Channels;
            painted[i] = Math.Max(_pixels[at], Math.Max(_pixels[at + 1], _pixels[at + 2]));
        }

        return painted;
    }

    /// <summary>The same colours without alpha.</summary>
    public Picture ToRgb()
    {
        if (!HasAlpha)
            return this;
        var rgb = new byte[Width * Height * 3];
        for (int from = 0, to = 0; to < rgb.Length; from += 4, to += 3)
            _pixels.AsSpan(from, 3).CopyTo(rgb.AsSpan(to));
        return new(Width, Height, 3, rgb);
    }

    /// <summary>The same colours with alpha, opaque where there was none.</summary>
    public Picture ToRgba()
    {
        if (HasAlpha)
            return this;
        var rgba = new byte[Width * Height * 4];
        for (int from = 0, to = 0; to < rgba.Length; from += 3, to += 4)
        {
            _pixels.AsSpan(from, 3).CopyTo(rgba.AsSpan(to));
            rgba[to + 3] = byte.MaxValue;
        }

        return new(Width, Height, 4, rgba);
    }

    internal byte[] Bytes => _pixels;

    internal static void CheckSize(long width, long height)
    {
        if (width < 1 || height < 1 || width > MaxPixels || height > MaxPixels || width * height > MaxPixels)
            throw new PictureException($"a picture of {width} x {height} pixels is out of bounds; at most {MaxPixels} pixels are read");
    }
}

/// <summary>A picture file that cannot be read, or sizes that do not make a picture.</summary>
public sealed class PictureException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Parts of pictures, made smaller.</summary>
public static class PictureScaling
{
    /// <summary>A part of a picture as RGB in another size: each pixel is the mean of what it covers.</summary>
    public static Picture Resize(Picture picture, int left, int top, int width, int height, int newWidth, int newHeight)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(left);
        ArgumentOutOfRangeException.ThrowIfNegative(top);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(left + width, picture.Width);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(top + height, picture.Height);
        var pixels = new byte[newWidth * newHeight * 3];
        for (var row = 0; row < newHeight; row++)
        {
            var (first, last) = Span(row, height, newHeight);
            for (var column = 0; column < newWidth; column++)
            {
                var (start, end) = Span(column, width, newWidth);
                int red = 0, green = 0, blue = 0;
                for (var y = first; y < last; y++)
                    for (var x = start; x < end; x++)
                    {
                        var at = ((top + y) * picture.Width + left + x) * picture.Channels;
                        red += picture.Pixels[at];
                        green += picture.Pixels[at + 1];
                        blue += picture.Pixels[at + 2];
                    }
                var count = (last - first) * (end - start);
                var to = (row * newWidth + column) * 3;
                (pixels[to], pixels[to + 1], pixels[to + 2]) = (Mean(red), Mean(green), Mean(blue));

                byte Mean(int sum) => (byte)((sum + count / 2) / count);
            }
        }
        return new Picture(newWidth, newHeight, 3, pixels);
    }

    public static Picture Resize(Picture picture, int newWidth, int newHeight) => Resize(picture, 0, 0, picture.Width, picture.Height, newWidth, newHeight);

    private static (int First, int Last) Span(int index, int from, int to)
    {
        var first = (int)((long)index * from / to);
        return (first, Math.Max(first + 1, (int)((long)(index + 1) * from / to)));
    }
}

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
