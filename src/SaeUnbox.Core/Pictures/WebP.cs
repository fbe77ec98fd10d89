using SixLabors.ImageSharp.Formats.Webp;

namespace SaeUnbox.Core;

/// <summary>WebP files; written only.</summary>
public static class WebP
{
    // What the format's header can state.
    private const int LargestSide = 16383;

    // Four times as fast as the next level, for a sixth more bytes.
    private const WebpEncodingMethod Effort = WebpEncodingMethod.Level2;

    /// <summary>Writes a picture, lossy; alpha is left out.</summary>
    /// <param name="picture">RGB or RGBA, sides up to 16383 pixels.</param>
    /// <param name="quality">1 to 100.</param>
    /// <exception cref="PictureException">The picture is too large.</exception>
    public static byte[] Encode(Picture picture, int quality = 90)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(quality, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(quality, 100);
        if (picture.Width > LargestSide || picture.Height > LargestSide)
            throw new PictureException($"a WebP has sides of up to {LargestSide} pixels, the picture is {picture.Width} x {picture.Height}");
        return Codec.Encode(picture.ToRgb(), new WebpEncoder { FileFormat = WebpFileFormatType.Lossy, Quality = quality, Method = Effort });
    }
}
