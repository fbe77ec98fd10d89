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
