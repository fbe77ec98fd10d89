using System.IO.Compression;
using SaeUnbox.Testing;

namespace SaeUnbox.Core.Tests;

public class PngTests
{
    [Theory]
    [InlineData(1, 1, 3)]
    [InlineData(1, 7, 4)]
    [InlineData(13, 5, 3)]
    [InlineData(64, 48, 4)]
    public void Encode_AnyPicture_DecodesToTheSamePixels(int width, int height, int channels)
    {
        foreach (var picture in new[] { PictureSamples.Noise(width, height, channels), PictureSamples.Smooth(width, height, channels) })
        {
            var file = Png.Encode(picture);

            PictureSamples.AssertSame(picture, Png.Decode(file));
            Assert.Equal(file, Png.Encode(picture));
        }
    }

    [Theory]
    [InlineData(3)]
    [InlineData(4)]
    public void Encode_Picture_AgreesWithAnotherDecoder(int channels)
    {
        var picture = PictureSamples.Smooth(37, 21, channels);

        PictureSamples.AssertSame(picture, OtherDecoder.Decode(Png.Encode(picture), channels));
    }

    [Fact]
    public void Decode_GoldenPictures_AgreesWithAnotherDecoder()
    {
        foreach (var path in Directory.EnumerateFiles(Goldens.Root, "*.png", SearchOption.AllDirectories))
        {
            var file = File.ReadAllBytes(path);
            var picture = Png.Decode(file);

            PictureSamples.AssertSame(OtherDecoder.Decode(file, picture.Channels), picture);
        }
    }

    public static TheoryData<int, int, bool, bool> Kinds
    {
        get
        {
            var kinds = new TheoryData<int, int, bool, bool>();
            (int Colour, int[] Depths)[] all = [(0, [1, 2, 4, 8, 16]), (2, [8, 16]), (3, [1, 2, 4, 8]), (4, [8, 16]), (6, [8, 16])];
            foreach (var (colour, depths) in all)
            {
                foreach (var depth in depths)
                {
                    foreach (var interlaced in new[] { false, true })
                    {
                        kinds.Add(colour, depth, interlaced, false);
                        if (colour is 0 or 2 or 3)
                            kinds.Add(colour, depth, interlaced, true);
                    }
                }
            }

            return kinds;
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Decode_EveryKindOfPng_AgreesWithAnotherDecoder(int colour, int depth, bool interlaced, bool transparency)
    {
        foreach (var (width, height) in new[] { (1, 1), (3, 2), (5, 9), (17, 16) })
        {
            var file = PngFactory.Make(width, height, colour, depth, interlaced, transparency, seed: width);

            var picture = Png.Decode(file);

            var alpha = transparency || colour is 4 or 6;
            Assert.Equal(alpha ? 4 : 3, picture.Channels);
            PictureSamples.AssertSame(OtherDecoder.Decode(file, picture.Channels), picture);
        }
    }

    [Fact]
    public void Decode_HugeSize_IsRefusedBeforeUnpacking()
    {
        var file = PngFactory.File(("IHDR", [0x7F, 0xFF, 0xFF, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 8, 2, 0, 0, 0]), ("IDAT", []));

        Assert.Contains("out of bounds", Assert.Throws<PictureException>(() => Png.Decode(file)).Message);
    }

    [Fact]
    public void Decode_DecompressionBomb_UnpacksOnlyTheDeclaredSize()
    {
        using var packed = new MemoryStream();
        using (var zlib = new ZLibStream(packed, CompressionLevel.Optimal, leaveOpen: true))
            zlib.Write(new byte[50_000_000]);
        var file = PngFactory.File(("IHDR", [0, 0, 0, 2, 0, 0, 0, 2, 8, 2, 0, 0, 0]), ("IDAT", packed.ToArray()));
        var before = GC.GetAllocatedBytesForCurrentThread();

        var picture = Png.Decode(file);

        Assert.Equal(12, picture.Pixels.Length);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 2_000_000);
    }

    [Theory]
    [InlineData(0, 8, 2)]
    [InlineData(1, 3, 2)]
    [InlineData(1, 16, 3)]
    [InlineData(1, 8, 5)]
    public void Decode_InvalidHeader_IsRefused(byte width, byte depth, byte colour)
    {
        var file = PngFactory.File(("IHDR", [0, 0, 0, width, 0, 0, 0, 1, depth, colour, 0, 0, 0]), ("IDAT", []));

        Assert.Throws<PictureException>(() => Png.Decode(file));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Decode_TooFewSamples_IsRefused(byte interlaced)
    {
        var file = PngFactory.File(("IHDR", [0, 0, 0, 2, 0, 0, 0, 3, 8, 0, 0, 0, interlaced]), ("IDAT", PngFactory.Pack([0, 9])));

        Assert.Contains("incomplete", Assert.Throws<PictureException>(() => Png.Decode(file)).Message);
    }

    [Fact]
    public void Decode_SecondHeader_IsRefused()
    {
        var file = PngFactory.File(
            ("IHDR", [0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0]), ("IHDR", [0, 0, 0x7F, 0, 0, 0, 0x7F, 0, 8, 0, 0, 0, 0]),
            ("IDAT", PngFactory.Pack([0, 9])));

        Assert.Throws<PictureException>(() => Png.Decode(file));
    }

    [Fact]
    public void Decode_SixteenBits_KeepsTheUpperByte()
    {
        var file =
            PngFactory.File(("IHDR", [0, 0, 0, 2, 0, 0, 0, 1, 16, 0, 0, 0, 0]), ("IDAT", PngFactory.Pack([0, 0x7F, 0xFF, 0xFE, 0xFF])));

        Assert.Equal([0x7F, 0x7F, 0x7F, 0xFE, 0xFE, 0xFE], Png.Decode(file).Pixels.ToArray());
    }

    [Fact]
    public void Decode_AncillaryChunks_ChangeNothing()
    {
        var plain = Png.Encode(PictureSamples.Smooth(9, 5, 3));
        (string Type, byte[] Data)[] extra = [
            ("gAMA", [0, 0, 0, 1]),
            ("iCCP", [1, 0, 0, 9, 9]),
            ("eXIf", [0xFF]),
            ("pHYs", []),
            ("tEXt", [0])
        ];

        foreach (var chunk in extra)
            PictureSamples.AssertSame(Png.Decode(plain),
                Png.Decode([.. plain.AsSpan(0, 33), .. PngFactory.File(chunk).AsSpan(8..^12), .. plain.AsSpan(33)]));
    }

    [Fact]
    public void Decode_FileCutAnywhere_IsRefused()
    {
        var file = Png.Encode(PictureSamples.Smooth(8, 8, 3));

        for (var length = 0; length < file.Length; length++)
            Assert.Throws<PictureException>(() => Png.Decode(file.AsSpan(0, length)));
    }

    [Fact]
    public void Decode_FileWithAnyByteChanged_IsRefused()
    {
        var file = Png.Encode(PictureSamples.Smooth(8, 8, 3));

        for (var i = 0; i < file.Length; i++)
        {
            var broken = file.ToArray();
            broken[i] ^= 0x10;
            Assert.Throws<PictureException>(() => Png.Decode(broken));
        }
    }

    [Fact]
    public void Decode_BrokenChunksWithValidChecksums_GivesAPictureOrAPictureException()
    {
        var random = new Random(1);
        var outcomes = new HashSet<bool>();
        for (var i = 0; i < 3000; i++)
        {
            var colour = new[] { 0, 2, 3, 4, 6 }[random.Next(5)];
            var file = PngFactory.Make(random.Next(1, 20), random.Next(1, 20), colour, 8, random.Next(2) == 0, colour < 4, seed: i,
                damage: random);
            try
            {
                var picture = Png.Decode(file);
                outcomes.Add(picture.Pixels.Length > 0);
            }
            catch (PictureException)
            {
                outcomes.Add(false);
            }
        }

        Assert.Equal(2, outcomes.Count);
    }
}
