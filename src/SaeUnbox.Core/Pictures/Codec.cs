using System.Buffers.Binary;
using System.Runtime.InteropServices;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Formats;
using SixLabors.ImageSharp.Formats.Gif;
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

/// <summary>Pictures that follow each other, as an animated GIF.</summary>
public static class Animation
{
    private const int HundredthsPerSecond = 100;

    /// <summary>Writes a GIF that plays again and again.</summary>
    /// <param name="frames">At least one picture; all of one size. Alpha is dropped.</param>
    /// <param name="seconds">How long each picture is shown.</param>
    /// <param name="lastSeconds">How long the last one is shown.</param>
    public static byte[] Encode(IReadOnlyList<Picture> frames, double seconds, double lastSeconds)
    {
        if (frames.Count == 0 || frames.Any(frame => (frame.Width, frame.Height) != (frames[0].Width, frames[0].Height)))
            throw new ArgumentException("An animation needs at least one picture, and all of one size.", nameof(frames));
        using var animation = Codec.Image(frames[0]);
        foreach (var frame in frames.Skip(1))
        {
            using var next = Codec.Image(frame);
            animation.Frames.AddFrame(next.Frames.RootFrame);
        }
        for (var i = 0; i < animation.Frames.Count; i++)
            animation.Frames[i].Metadata.GetGifMetadata().FrameDelay =
                (int)Math.Round(HundredthsPerSecond * (i == animation.Frames.Count - 1 ? lastSeconds : seconds));
        animation.Metadata.GetGifMetadata().RepeatCount = 0;
        using var file = new MemoryStream();
        animation.Save(file, new GifEncoder { ColorTableMode = GifColorTableMode.Local });
        return file.ToArray();
    }
}

/// <summary>
/// How a camera was held: the tag Orientation of Exif (CIPA DC-008, 4.6.5), 1 to 8. Viewers turn the stored pixels accordingly.
/// </summary>
internal static class ExifOrientation
{
    public const int Upright = 1;

    private const int HeaderLength = 8, EntryLength = 12;
    private const ushort Tag = 0x0112, ShortType = 3;

    private static ReadOnlySpan<byte> Prefix => "Exif\0\0"u8;

    /// <summary>Reads the body of an APP1 segment; <see cref="Upright"/> if it states no valid orientation.</summary>
    public static int Read(ReadOnlySpan<byte> segment)
    {
        if (!segment.StartsWith(Prefix) || segment.Length < Prefix.Length + HeaderLength)
            return Upright;
        var tiff = segment[Prefix.Length..];
        var isLittle = tiff[0] == 'I';
        var directory = isLittle ? BinaryPrimitives.ReadUInt32LittleEndian(tiff[4..]) : BinaryPrimitives.ReadUInt32BigEndian(tiff[4..]);
        if (directory + 2 > tiff.Length)
            return Upright;
        var entries = tiff[(int)directory..];
        var count = Short(entries);
        for (entries = entries[2..]; count-- > 0 && entries.Length >= EntryLength; entries = entries[EntryLength..])
        {
            if (Short(entries) == Tag && Short(entries[2..]) == ShortType)
                return Short(entries[8..]) is >= 1 and <= 8 and var orientation ? orientation : Upright;
        }

        return Upright;

        ushort Short(ReadOnlySpan<byte> bytes) =>
            isLittle ? BinaryPrimitives.ReadUInt16LittleEndian(bytes) : BinaryPrimitives.ReadUInt16BigEndian(bytes);
    }

    /// <summary>Turns stored pixels as a viewer shows them.</summary>
    public static Picture Turn(Picture stored, int orientation)
    {
        if (orientation == Upright)
            return stored;
        var (width, height) = orientation < 5 ? (stored.Width, stored.Height) : (stored.Height, stored.Width);
        var (right, bottom, channels) = (stored.Width - 1, stored.Height - 1, stored.Channels);
        var pixels = new byte[stored.Pixels.Length];
        for (var y = 0; y < height; y++)
        {
            for (var x = 0; x < width; x++)
            {
                var (column, row) = orientation switch
                {
                    2 => (right - x, y),
                    3 => (right - x, bottom - y),
                    4 => (x, bottom - y),
                    5 => (y, x),
                    6 => (y, bottom - x),
                    7 => (right - y, bottom - x),
                    _ => (right - y, x),
                };
                stored.Pixels.Slice(((row * stored.Width) + column) * channels, channels)
                    .CopyTo(pixels.AsSpan(((y * width) + x) * channels));
            }
        }

        return new(width, height, channels, pixels);
    }
}

/// <summary>Names the kind of a file by its first bytes, for messages about files that cannot be used.</summary>
public static class FileKind
{
    private static readonly (int At, string Bytes, string Kind)[] Signatures =
    [
        (8, "WEBP", "a WebP picture"),
        (0, "GIF8", "a GIF picture"),
        (0, "BM", "a BMP picture"),
        (0, "II*\0", "a TIFF picture"),
        (0, "MM\0*", "a TIFF picture"),
        (4, "ftypavif", "an AVIF picture"),
        (4, "ftypheic", "a HEIC picture"),
        (4, "ftypmif1", "a HEIF picture"),
        (0, "\u00FF\u000A", "a JPEG XL picture"),
        (4, "JXL ", "a JPEG XL picture"),
        (4, "jP  ", "a JPEG 2000 picture"),
        (0, "8BPS", "a Photoshop document"),
        (0, "\u0089PNG", "a PNG picture"),
        (0, "\u00FF\u00D8\u00FF", "a JPEG picture"),
        (0, "%PDF", "a PDF document"),
        (0, "PK\u0003\u0004", "a ZIP archive"),
        (0, "\u001F\u008B", "a gzip archive"),
        (0, "\u0093NUMPY", "a NumPy array"),
        (0, "GGUF", "a GGUF file"),
        (0, "<svg", "an SVG drawing"),
        (257, "ustar", "a tar archive"),
        (0, "7z\u00BC\u00AF", "a 7z archive"),
        (0, "\u00FD7zXZ", "an xz archive"),
        (0, "\u0028\u00B5\u002F\u00FD", "a Zstandard archive"),
        (0, "Rar!", "a RAR archive"),
        (0, "\u0089HDF", "an HDF5 file"),
        (0, "PAR1", "a Parquet table"),
        (0, "SQLite format 3", "an SQLite database"),
        (0, "version https://git-lfs", "a git-lfs pointer"),
        (0, "<!DOCTYPE html", "a web page"),
        (0, "<!doctype html", "a web page"),
        (0, "<HTML", "a web page"),
        (0, "<?xml", "an XML document"),
        (0, "<html", "a web page"),
    ];

    /// <summary>The kind with its article, such as "a WebP picture"; null if the bytes are not those of a kind known here.</summary>
    public static string? Of(ReadOnlySpan<byte> file)
    {
        foreach (var (at, bytes, kind) in Signatures)
            if (file.Length >= at && file[at..].StartsWith(Encoding.Latin1.GetBytes(bytes)) && (kind != "a BMP picture" || IsBmp(file)))
                return kind;
        return null;
    }

    // Two letters alone also begin texts.
    private static bool IsBmp(ReadOnlySpan<byte> file) => file.Length > 9 && file[6..10].IndexOfAnyExcept((byte)0) < 0;
}
