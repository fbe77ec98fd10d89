using System.Buffers.Binary;
using System.Runtime.InteropServices;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Formats;
using SixLabors.ImageSharp.Formats.Jpeg;
using SixLabors.ImageSharp.Formats.Png;
using SixLabors.ImageSharp.Formats.Webp;
using SixLabors.ImageSharp.PixelFormats;

namespace SaeUnbox.Core;

/// <summary>
/// Wraps ImageSharp with only PNG, JPEG and WebP. Callers check sizes and chunks, and remove metadata, before they call it.
/// </summary>
internal static class Codec
{
    // One thread, because the models use the others.
    private static readonly Configuration Settings =
        new(new PngConfigurationModule(), new JpegConfigurationModule(), new WebpConfigurationModule()) { MaxDegreeOfParallelism = 1 };

    /// <returns>height x width pixels.</returns>
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
            // For a broken file, ImageSharp throws its own exceptions, or one for an index out of range or a null reference.
            throw new PictureException("the picture file is broken: its pixels cannot be read", error);
        }
    }

    /// <summary>The colours of a picture, in the picture's own memory where it has no alpha.</summary>
    public static Image<Rgb24> Image(Picture picture) => SixLabors.ImageSharp.Image.WrapMemory<Rgb24>(
        Settings, picture.ToRgb().Bytes.AsMemory(), picture.Width, picture.Height);

    public static byte[] Encode(Picture picture, IImageEncoder encoder)
    {
        using Image image = picture.HasAlpha
            ? SixLabors.ImageSharp.Image.WrapMemory<Rgba32>(Settings, picture.Bytes.AsMemory(), picture.Width, picture.Height)
            : Image(picture);
        using var file = new MemoryStream();
        image.Save(file, encoder);
        return file.ToArray();
    }
}

public static class Jpeg
{
    private const byte Marker = 0xFF, StartOfImage = 0xD8, StartOfScan = 0xDA, FirstFrame = 0xC0, LastFrame = 0xCF;
    private const byte FirstApplication = 0xE0, Exif = 0xE1, AdobeColours = 0xEE, LastApplication = 0xEF, Comment = 0xFE;

    // Above this quality, chroma keeps the full resolution.
    private const int MaxQualityOfHalvedChroma = 90;

    public static bool IsJpeg(ReadOnlySpan<byte> file) => file.StartsWith([Marker, StartOfImage, Marker]);

    /// <summary>
    /// Reads a JPEG as RGB, turned as its Exif orientation says. Checks the size in its header first, and ignores other metadata.
    /// </summary>
    /// <exception cref="PictureException">The file is broken or too large.</exception>
    public static Picture Decode(ReadOnlySpan<byte> file)
    {
        var pixels = Codec.Decode<Rgb24>(new JpegDecoder { IgnoreMetadata = true }, WithoutMetadata(file, out var orientation),
            out var width, out var height);
        return ExifOrientation.Turn(new(width, height, 3, MemoryMarshal.AsBytes<Rgb24>(pixels).ToArray()), orientation);
    }

    /// <summary>Writes a picture without alpha.</summary>
    /// <param name="picture">RGB or RGBA.</param>
    /// <param name="quality">1 to 100.</param>
    public static byte[] Encode(Picture picture, int quality = 90)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(quality, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(quality, 100);
        var colours = quality > MaxQualityOfHalvedChroma ? JpegColorType.YCbCrRatio444 : JpegColorType.YCbCrRatio420;
        return Codec.Encode(picture.ToRgb(), new JpegEncoder { Quality = quality, ColorType = colours });
    }

    // Reads the segments up to the pixels. Each has a marker and a length that includes itself.
    private static byte[] WithoutMetadata(ReadOnlySpan<byte> file, out int orientation)
    {
        orientation = ExifOrientation.Upright;
        if (!IsJpeg(file))
            throw new PictureException("the file is not a JPEG");
        var kept = new MemoryStream(file.Length);
        kept.Write(file[..2]);
        var sized = false;
        for (var rest = file[2..]; rest.Length >= 4 && rest[0] == Marker;)
        {
            var kind = rest[1];
            if (kind == Marker)
            {
                rest = rest[1..]; // a fill byte
                continue;
            }

            if (kind == StartOfScan && sized)
            {
                kept.Write(rest);
                return kept.ToArray();
            }

            var length = BinaryPrimitives.ReadUInt16BigEndian(rest[2..]);
            if (length < 2 || length > rest.Length - 2)
                break;
            // C4, C8 and CC lie in the range of the frame headers, but are tables or reserved.
            if (kind is >= FirstFrame and <= LastFrame and not (0xC4 or 0xC8 or 0xCC))
            {
                if (length < 7)
                    break;
                Picture.CheckSize(BinaryPrimitives.ReadUInt16BigEndian(rest[7..]), BinaryPrimitives.ReadUInt16BigEndian(rest[5..]));
                sized = true;
            }

            if (kind == Exif && orientation == ExifOrientation.Upright)
                orientation = ExifOrientation.Read(rest[4..(length + 2)]);
            if (kind is AdobeColours or not (Comment or >= FirstApplication and <= LastApplication))
                kept.Write(rest[..(length + 2)]);
            rest = rest[(length + 2)..];
        }

        throw new PictureException("the JPEG is broken: it has no size or no pixels");
    }
}

public static class WebP
{
    // The largest side that a WebP header can hold.
    private const int LargestSide = 16383;

    // Four times as fast as the next level, with a sixth more bytes.
    private const WebpEncodingMethod Effort = WebpEncodingMethod.Level2;

    /// <summary>Writes a lossy picture without alpha.</summary>
    /// <param name="picture">RGB or RGBA, sides up to 16383 pixels.</param>
    /// <param name="quality">1 to 100.</param>
    /// <exception cref="PictureException">The picture is too large.</exception>
    public static byte[] Encode(Picture picture, int quality = 90)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(quality, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(quality, 100);
        if (picture.Width > LargestSide || picture.Height > LargestSide)
            throw new PictureException(
                $"a WebP has sides of at most {LargestSide} pixels; the picture is {picture.Width} x {picture.Height}");
        return Codec.Encode(picture.ToRgb(), new WebpEncoder { FileFormat = WebpFileFormatType.Lossy, Quality = quality, Method = Effort });
    }
}
