using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Formats;
using SixLabors.ImageSharp.Formats.Jpeg;
using SixLabors.ImageSharp.PixelFormats;

namespace SaeUnbox.Pictures;

/// <summary>JPEG by ImageSharp. Codecs/JpegCodec.cs is the same by the stb codecs.</summary>
internal static class JpegCodec
{
    private static readonly DecoderOptions Options = new() { MaxFrames = 1, SkipMetadata = true };

    public static Picture Decode(ReadOnlySpan<byte> file)
    {
        try
        {
            using var image = Image.Load<Rgb24>(Options, file);
            var pixels = new byte[image.Width * image.Height * 3];
            image.CopyPixelDataTo(pixels);
            return new(image.Width, image.Height, 3, pixels);
        }
        catch (Exception error) when (error is not PictureException)
        {
            // Broken files are an ImageFormatException, a NotSupportedException, or an index or a memory limit out of bounds.
            throw new PictureException("the JPEG cannot be read", error);
        }
    }

    public static byte[] Encode(Picture rgb, int quality)
    {
        using var image = Image.LoadPixelData<Rgb24>(rgb.Pixels, rgb.Width, rgb.Height);
        using var file = new MemoryStream();
        image.SaveAsJpeg(file, new JpegEncoder { Quality = quality });
        return file.ToArray();
    }
}
