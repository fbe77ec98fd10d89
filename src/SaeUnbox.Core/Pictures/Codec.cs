using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Formats;
using SixLabors.ImageSharp.Formats.Jpeg;
using SixLabors.ImageSharp.Formats.Png;
using SixLabors.ImageSharp.Formats.Webp;
using SixLabors.ImageSharp.PixelFormats;

namespace SaeUnbox.Core;

/// <summary>
/// ImageSharp with the three formats that are used here. It is given files whose sizes and chunks have been checked, without metadata.
/// </summary>
internal static class Codec
{
    // One thread: the others belong to the models.
    private static readonly Configuration Settings =
        new(new PngConfigurationModule(), new JpegConfigurationModule(), new WebpConfigurationModule()) { MaxDegreeOfParallelism = 1 };

    /// <summary>The pixels of a file, as height x width values of <typeparamref name="TPixel"/>.</summary>
    /// <exception cref="PictureException">The file is broken.</exception>
    public static TPixel[] Decode<TPixel>(IImageDecoder decoder, byte[] file, out int width, out int height)
        where TPixel : unmanaged, IPixel<TPixel>
    {
        try
        {
            using var image = decoder.Decode<TPixel>(Settings, new MemoryStream(file), CancellationToken.None);
            (width, height) = (image.Width, image.Height);
            var pixels = new TPixel[width * height];
            image.CopyPixelDataTo(pixels);
            return pixels;
        }
        catch (Exception error)
        {
            // A broken file ends in one of ImageSharp's own exceptions, an index out of bounds or a null.
            throw new PictureException("the picture file is broken: its pixels cannot be read", error);
        }
    }

    public static byte[] Encode(Picture picture, IImageEncoder encoder)
    {
        using Image image = picture.HasAlpha
            ? Image.WrapMemory<Rgba32>(Settings, picture.Bytes.AsMemory(), picture.Width, picture.Height)
            : Image.WrapMemory<Rgb24>(Settings, picture.Bytes.AsMemory(), picture.Width, picture.Height);
        using var file = new MemoryStream();
        image.Save(file, encoder);
        return file.ToArray();
    }
}
