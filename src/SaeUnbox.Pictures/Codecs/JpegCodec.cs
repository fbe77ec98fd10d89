using StbImageSharp;
using StbImageWriteSharp;

namespace SaeUnbox.Pictures;

/// <summary>JPEG by the stb codecs. Upstream/JpegCodec.cs is the same by ImageSharp.</summary>
internal static class JpegCodec
{
    public static Picture Decode(ReadOnlySpan<byte> file)
    {
        try
        {
            var image = ImageResult.FromMemory(file.ToArray(), StbImageSharp.ColorComponents.RedGreenBlue);
            return new(image.Width, image.Height, 3, image.Data);
        }
        catch (Exception error) when (error is not PictureException)
        {
            // The port of stb reports every broken file by a plain Exception, an index or a null out of bounds.
            throw new PictureException("the JPEG cannot be read", error);
        }
    }

    public static byte[] Encode(Picture rgb, int quality)
    {
        using var file = new MemoryStream();
        new ImageWriter().WriteJpg(rgb.Bytes, rgb.Width, rgb.Height, StbImageWriteSharp.ColorComponents.RedGreenBlue, file, quality);
        return file.ToArray();
    }
}
