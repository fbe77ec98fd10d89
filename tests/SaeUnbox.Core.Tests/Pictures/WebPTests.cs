using System.Buffers.Binary;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.PixelFormats;

namespace SaeUnbox.Core.Tests;

public class WebPTests
{
    [Theory]
    [InlineData(3)]
    [InlineData(4)]
    public void Encode_Picture_StatesItsSize(int channels)
    {
        var file = WebP.Encode(new Picture(40, 24, channels, new byte[40 * 24 * channels]));

        Assert.True(file.AsSpan(0, 4).SequenceEqual("RIFF"u8) && file.AsSpan(8, 8).SequenceEqual("WEBPVP8 "u8));
        Assert.Equal(file.Length - 8, BinaryPrimitives.ReadInt32LittleEndian(file.AsSpan(4)));
        // Header of the key frame (RFC 6386, 9.1): after the start code, two sides of 14 bits.
        Assert.Equal((40, 24),
            (BinaryPrimitives.ReadUInt16LittleEndian(file.AsSpan(26)) & 0x3FFF,
                BinaryPrimitives.ReadUInt16LittleEndian(file.AsSpan(28)) & 0x3FFF));
    }

    [Fact]
    public void Encode_SmoothPicture_IsNearlyEqual()
    {
        var picture = PictureSamples.Ramp(40, 24, 3);

        using var read = Image.Load<Rgb24>(WebP.Encode(picture, 92));

        var pixels = new byte[picture.Pixels.Length];
        read.CopyPixelDataTo(pixels);
        Assert.InRange(PictureSamples.MeanDifference(picture.Pixels, pixels), 0, 4);
    }

    [Fact]
    public void Encode_HigherQuality_KeepsMore()
    {
        var pixels = new byte[64 * 64 * 3];
        new Random(1).NextBytes(pixels);
        var picture = new Picture(64, 64, 3, pixels);

        Assert.True(WebP.Encode(picture, 95).Length > 2 * WebP.Encode(picture, 10).Length);
    }

    [Fact]
    public void Encode_SideBeyondTheFormat_IsRefused() =>
        Assert.Contains("16383", Assert.Throws<PictureException>(() => WebP.Encode(new Picture(16384, 1, 3, new byte[16384 * 3]))).Message);
}
