namespace SaeUnbox.Core;

/// <summary>Pixels in memory: RGB or RGBA, 8 bits per channel, rows from top to bottom.</summary>
public sealed class Picture
{
    /// <summary>Most pixels of a picture: 4096 x 4096.</summary>
    public const int MaxPixels = 1 << 24;

    private const int Half = 128;

    private readonly byte[] _pixels;

    /// <param name="channels">3 (RGB) or 4 (RGBA, alpha not premultiplied).</param>
    /// <param name="pixels">height x width x channels bytes. Not copied.</param>
    /// <exception cref="PictureException">The sizes do not fit or are too large.</exception>
    public Picture(int width, int height, int channels, byte[] pixels)
    {
        CheckSize(width, height);
        if (channels is not (3 or 4) || pixels.Length != width * height * channels)
            throw new PictureException(
                $"{pixels.Length} bytes do not make a picture of {width} x {height} pixels with {channels} channels");
        (Width, Height, Channels) = (width, height, channels);
        _pixels = pixels;
    }

    /// <summary>
    /// Peak signal-to-noise ratio of the colours against another picture of this size, in decibels; infinite if they are equal.
    /// </summary>
    public double Psnr(Picture other)
    {
        if ((Width, Height) != (other.Width, other.Height))
            throw new ArgumentException($"Pictures of {Width} x {Height} and {other.Width} x {other.Height} pixels cannot be compared.");
        long squares = 0;
        for (var pixel = 0; pixel < Width * Height; pixel++)
            for (var colour = 0; colour < 3; colour++)
            {
                var difference = _pixels[(pixel * Channels) + colour] - other._pixels[(pixel * other.Channels) + colour];
                squares += difference * difference;
            }
        return 10 * Math.Log10(255.0 * 255 * 3 * Width * Height / squares);
    }

    public int Width { get; }

    public int Height { get; }

    /// <summary>3 or 4.</summary>
    public int Channels { get; }

    public bool HasAlpha => Channels == 4;

    private bool IsOpaque
    {
        get
        {
            for (var at = 3; HasAlpha && at < _pixels.Length; at += 4)
                if (_pixels[at] < byte.MaxValue)
                    return false;
            return true;
        }
    }

    /// <summary>height x width x channels bytes.</summary>
    public ReadOnlySpan<byte> Pixels => _pixels;

    /// <summary>Reads a PNG or JPEG file. Checks the size in its header before unpacking.</summary>
    /// <exception cref="PictureException">The file is neither a PNG nor a JPEG, broken, or too large.</exception>
    public static Picture Decode(ReadOnlySpan<byte> file) =>
        Png.IsPng(file) ? Png.Decode(file)
        : Jpeg.IsJpeg(file) ? Jpeg.Decode(file)
        : throw new PictureException(FileKind.Of(file) is { } kind
            ? $"the file is {kind}; save the picture as PNG or JPEG"
            : "the file is neither PNG nor JPEG");

    /// <summary>
    /// One byte per pixel of a mask: 255 where its level is one half or more, else 0. The level is the alpha or, in a picture that is
    /// opaque everywhere, the brightest channel, so that a mask can be strokes of any colour on transparent ground, or white on black.
    /// </summary>
    public byte[] PaintedPixels()
    {
        var painted = new byte[Width * Height];
        var countsAlpha = !IsOpaque;
        for (var i = 0; i < painted.Length; i++)
        {
            var pixel = _pixels.AsSpan(i * Channels, Channels);
            var level = countsAlpha ? pixel[3] : Math.Max(pixel[0], Math.Max(pixel[1], pixel[2]));
            painted[i] = level >= Half ? byte.MaxValue : byte.MinValue;
        }

        return painted;
    }

    /// <summary>Drops the alpha channel.</summary>
    public Picture ToRgb()
    {
        if (!HasAlpha)
            return this;
        var rgb = new byte[Width * Height * 3];
        for (int from = 0, to = 0; to < rgb.Length; from += 4, to += 3)
            _pixels.AsSpan(from, 3).CopyTo(rgb.AsSpan(to));
        return new(Width, Height, 3, rgb);
    }

    /// <summary>Adds an opaque alpha channel if there is none.</summary>
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
            throw new PictureException($"a picture of {width} x {height} pixels is out of bounds; a picture has 1 to {MaxPixels} pixels");
    }
}

/// <summary>A picture file cannot be read, or a picture's size is invalid.</summary>
public sealed class PictureException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Scales pictures.</summary>
public static class PictureScaling
{
    /// <summary>Scales a part of a picture, as RGB. Each new pixel is the mean of the pixels it covers.</summary>
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

    public static Picture Resize(Picture picture, int newWidth, int newHeight) =>
        Resize(picture, 0, 0, picture.Width, picture.Height, newWidth, newHeight);

    private static (int First, int Last) Span(int index, int from, int to)
    {
        var first = (int)((long)index * from / to);
        return (first, Math.Max(first + 1, (int)((long)(index + 1) * from / to)));
    }
}

/// <summary>Arranges pictures in rows on a white sheet.</summary>
public static class PictureSheet
{
    private const int Gap = 4, Channels = 3;

    /// <param name="pictures">At least one. All are scaled to the shape of the first.</param>
    /// <param name="columns">Pictures per row.</param>
    /// <param name="side">Longest side of a scaled picture in pixels; smaller pictures are not enlarged.</param>
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
                tile.Pixels.Slice(row * tileWidth * Channels, tileWidth * Channels)
                    .CopyTo(pixels.AsSpan((((top + row) * width) + left) * Channels));
        }
        return new Picture(width, height, Channels, pixels);
    }
}
