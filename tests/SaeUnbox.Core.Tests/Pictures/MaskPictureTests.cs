using System.Buffers.Binary;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Metadata.Profiles.Exif;
using SixLabors.ImageSharp.PixelFormats;

namespace SaeUnbox.Core.Tests;

/// <summary>Pictures as masks: whichever way a program writes what is painted, the same pixels count.</summary>
public class MaskPictureTests
{
    private const int Side = 24, Trials = 40;

    public static TheoryData<string> Ways =>
    [
        "strokes of any colour", "opaque with alpha", "without alpha", "noisy", "grey 1", "grey 16", "grey and alpha 8", "palette", "red",
    ];

    [Theory]
    [MemberData(nameof(Ways))]
    public void PaintedPixels_EveryWayToWriteAMask_AreThePaintedOnes(string way)
    {
        var random = new Random(9);
        for (var trial = 0; trial < Trials; trial++)
        {
            var painted = Enumerable.Range(0, Side * Side).Select(_ => random.Next(3) == 0).ToArray();
            painted[0] = true;
            painted[^1] = false;

            var picture = Picture.Decode(Write(way, painted, random));

            Assert.Equal(painted.Select(is_ => is_ ? (byte)255 : (byte)0), picture.PaintedPixels());
        }
    }

    [Fact]
    public void PaintedPixels_NothingPainted_IsBlankAndAllPainted_IsNowhereEmpty()
    {
        foreach (var (level, isBlank) in new[] { (2, true), (253, false) })
        {
            var pixels = new byte[Side * Side * 4];
            for (var at = 0; at < pixels.Length; at += 4)
                (pixels[at], pixels[at + 1], pixels[at + 2], pixels[at + 3]) = ((byte)level, 0, 0, 255);

            var mask = BrushMask.FromPixels(new Picture(Side, Side, 4, pixels).PaintedPixels(), Side, Side, 4, 4);

            Assert.Equal((isBlank, !isBlank), (mask.IsBlank, mask.IsNowhereEmpty));
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    public void Decode_JpegOfEveryOrientation_IsUpright(int orientation)
    {
        // Blocks of 16 pixels survive the compression: bright in the upper left corner, half bright to the right of it.
        const int Width = 48, Height = 32;
        using var seen = new Image<Rgb24>(Width, Height);
        for (var y = 0; y < 16; y++)
            for (var x = 0; x < 32; x++)
                seen[x, y] = x < 16 ? new Rgb24(255, 255, 255) : new Rgb24(160, 160, 160);
        using var stored = Stored(seen, orientation);
        stored.Metadata.ExifProfile = new ExifProfile();
        stored.Metadata.ExifProfile.SetValue(ExifTag.Orientation, (ushort)orientation);
        using var file = new MemoryStream();
        stored.SaveAsJpeg(file);

        var picture = Picture.Decode(file.ToArray());

        Assert.Equal((Width, Height), (picture.Width, picture.Height));
        byte At(int x, int y) => picture.Pixels[((y * Width) + x) * 3];
        Assert.InRange(At(8, 8), 240, 255);
        Assert.InRange(At(24, 8), 145, 175);
        Assert.InRange(At(40, 8), 0, 15);
        Assert.InRange(At(8, 24), 0, 15);
    }

    [Fact]
    public void Decode_JpegWithBrokenExif_IsUpright()
    {
        var plain = Jpeg.Encode(PictureSamples.Smooth(16, 8, 3));
        var random = new Random(2);
        for (var trial = 0; trial < 300; trial++)
        {
            // The count of entries and the offset are random, the orientation is out of range.
            byte[] body = [.. "Exif\0\0II*\0"u8, .. Bytes(random, 4), .. Bytes(random, random.Next(20))];
            var length = new byte[2];
            BinaryPrimitives.WriteUInt16BigEndian(length, (ushort)(body.Length + 2));

            var picture = Picture.Decode([.. plain[..2], 0xFF, 0xE1, .. length, .. body, .. plain[2..]]);

            Assert.Equal((16, 8), (picture.Width, picture.Height));
        }
    }

    [Theory]
    [InlineData("RIFF\u0001\u0002\u0003\u0004WEBPVP8 ", "a WebP picture")]
    [InlineData("GIF89a", "a GIF picture")]
    [InlineData("II*\0\0\0\0\0", "a TIFF picture")]
    [InlineData("\0\0\0\u0020ftypavif", "an AVIF picture")]
    public void Decode_OtherFormat_NamesItAndTheWayOut(string file, string kind)
    {
        var error = Assert.Throws<PictureException>(() => Picture.Decode(System.Text.Encoding.Latin1.GetBytes(file)));

        Assert.Equal($"the file is {kind}; save the picture as PNG or JPEG", error.Message);
    }

    [Fact]
    public void Of_TextThatBeginsLikeAPicture_IsNotAPicture() => Assert.Null(FileKind.Of("BMW in the rain"u8));

    private static byte[] Bytes(Random random, int count)
    {
        var bytes = new byte[count];
        random.NextBytes(bytes);
        return bytes;
    }

    // What a camera stores if it is held so that a viewer must turn the pixels back to what is seen.
    private static Image<Rgb24> Stored(Image<Rgb24> seen, int orientation)
    {
        var turned = orientation >= 5;
        var stored = new Image<Rgb24>(turned ? seen.Height : seen.Width, turned ? seen.Width : seen.Height);
        for (var row = 0; row < stored.Height; row++)
            for (var column = 0; column < stored.Width; column++)
            {
                // CIPA DC-008: where row 0 and column 0 of the stored picture are seen.
                var (x, y) = turned ? (row, column) : (column, row);
                var isRight = orientation is 2 or 3 or 6 or 7;
                var isBottom = orientation is 3 or 4 or 7 or 8;
                stored[column, row] = seen[isRight ? seen.Width - 1 - x : x, isBottom ? seen.Height - 1 - y : y];
            }
        return stored;
    }

    private static byte[] Write(string way, bool[] painted, Random random) => way switch
    {
        "strokes of any colour" => Rgba(painted,
            p => (random.Next(256), random.Next(256), random.Next(256), p ? random.Next(128, 256) : 0)),
        "opaque with alpha" => Rgba(painted, p => p ? (255, 255, 255, 255) : (0, 0, 0, 255)),
        "without alpha" => Png.Encode(Picture.Decode(Rgba(painted, p => p ? (255, 255, 255, 255) : (0, 0, 0, 255))).ToRgb()),
        "noisy" => Rgba(painted, p => p ? (random.Next(250, 256), 255, 251, 255) : (random.Next(3), random.Next(40), random.Next(3), 255)),
        "red" => Rgba(painted, p => p ? (200, 0, 0, 255) : (0, 0, 0, 255)),
        "grey 1" => Raw(painted, 0, 1, 1, p => [p ? 1 : 0]),
        "grey 16" => Raw(painted, 0, 16, 1, p => [p ? random.Next(0x8000, 0x10000) : random.Next(0x300)]),
        "grey and alpha 8" => Raw(painted, 4, 8, 2, p => [random.Next(256), p ? 255 : 0]),
        _ => Raw(painted, 3, 8, 1, p => [p ? 1 : 0], ("PLTE", [9, 9, 9, 0, 0, 0]), ("tRNS", [0])),
    };

    private static byte[] Rgba(bool[] painted, Func<bool, (int, int, int, int)> pixel) => Png.Encode(new Picture(Side, Side, 4,
        [.. painted.Select(pixel).SelectMany(p => new[] { (byte)p.Item1, (byte)p.Item2, (byte)p.Item3, (byte)p.Item4 })]));

    private static byte[] Raw(
        bool[] painted, byte colour, byte depth, int samples, Func<bool, int[]> pixel, params (string, byte[])[] tables)
    {
        var rows = new List<byte>();
        for (var y = 0; y < Side; y++)
        {
            var row = new byte[1 + (Side * samples * depth / 8)];
            foreach (var (index, sample) in painted.Skip(y * Side).Take(Side).SelectMany(pixel).Index())
            {
                if (depth == 16)
                    BinaryPrimitives.WriteUInt16BigEndian(row.AsSpan(1 + (index * 2)), (ushort)sample);
                else
                    row[1 + (index * depth / 8)] |= (byte)(sample << (8 - depth - (index * depth % 8)));
            }
            rows.AddRange(row);
        }
        byte[] header = [0, 0, 0, Side, 0, 0, 0, Side, depth, colour, 0, 0, 0];
        return PngFactory.File([("IHDR", header), .. tables, ("IDAT", PngFactory.Pack([.. rows]))]);
    }
}
