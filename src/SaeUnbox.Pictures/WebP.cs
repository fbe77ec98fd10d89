namespace SaeUnbox.Pictures;

/// <summary>WebP files, through the codec library; written only.</summary>
public static class WebP
{
    // What the format's header can state.
    private const int LargestSide = 16383;

    /// <summary>False where the machine has no libwebp (Debian: libwebp7).</summary>
    public static bool IsAvailable => WebPCodec.IsAvailable;

    /// <summary>Writes a picture, lossy; alpha is left out.</summary>
    /// <param name="picture">RGB or RGBA, sides up to 16383 pixels.</param>
    /// <param name="quality">1 to 100.</param>
    /// <exception cref="PictureException">The picture is too large, or <see cref="IsAvailable"/> is false.</exception>
    public static byte[] Encode(Picture picture, int quality = 90)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(quality, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(quality, 100);
        if (picture.Width > LargestSide || picture.Height > LargestSide)
            throw new PictureException($"a WebP has sides of up to {LargestSide} pixels, the picture is {picture.Width} x {picture.Height}");
        if (!IsAvailable)
            throw new PictureException("this machine has no libwebp; install the package libwebp7, or ask for PNG or JPEG");
        return WebPCodec.Encode(picture.ToRgb(), quality);
    }
}
