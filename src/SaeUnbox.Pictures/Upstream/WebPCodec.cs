using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Formats.Webp;
using SixLabors.ImageSharp.PixelFormats;

namespace SaeUnbox.Pictures;

/// <summary>WebP by ImageSharp. Codecs/WebPCodec.cs is the same by the system's libwebp.</summary>
internal static class WebPCodec
{
    public static bool IsAvailable => true;

    public static byte[] Encode(Picture rgb, int quality)
    {
        using var image = Image.LoadPixelData<Rgb24>(rgb.Pixels, rgb.Width, rgb.Height);
        using var file = new MemoryStream();
        image.SaveAsWebp(file, new WebpEncoder { Quality = quality, FileFormat = WebpFileFormatType.Lossy });
        return file.ToArray();
    }
}
