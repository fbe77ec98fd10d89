namespace SaeUnbox.Pictures.Tests;

public class JpegTests
{
    [Theory]
    [InlineData(3, 95)]
    [InlineData(4, 75)]
    public void Encode_SmoothPicture_ComesBackNearly(int channels, int quality)
    {
        var picture = Ramp(40, 24, channels);

        var read = Picture.Decode(Jpeg.Encode(picture, quality));

        Assert.Equal((40, 24, 3), (read.Width, read.Height, read.Channels));
        var expected = picture.ToRgb();
        var error = 0.0;
        for (var i = 0; i < read.Pixels.Length; i++)
            error += Math.Abs(read.Pixels[i] - expected.Pixels[i]);
        Assert.InRange(error / read.Pixels.Length, 0, 4);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(101)]
    public void Encode_QualityOutOfRange_Throws(int quality)
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Jpeg.Encode(Ramp(8, 8, 3), quality));
    }

    [Fact]
    public void Decode_HugeSize_IsRefusedBeforeAnythingIsUnpacked()
    {
        var file = Jpeg.Encode(Ramp(8, 8, 3));
        var frame = file.AsSpan().IndexOf<byte>([0xFF, 0xC0]);
        file.AsSpan(frame + 5, 4).Fill(0xFF);

        Assert.Contains("65535 x 65535", Assert.Throws<PictureException>(() => Jpeg.Decode(file)).Message);
    }

    [Fact]
    public void Decode_FileCutBeforeItsPixels_IsRefused()
    {
        var file = Jpeg.Encode(Ramp(8, 8, 3));
        var scan = file.AsSpan().IndexOf<byte>([0xFF, 0xDA]);

        for (var length = 0; length < scan; length++)
            Assert.Throws<PictureException>(() => Jpeg.Decode(file.AsSpan(0, length)));
    }

    [Fact]
    public void Decode_MutatedFile_GivesAPictureOrAPictureException()
    {
        var random = new Random(1);
        var file = Jpeg.Encode(Ramp(24, 24, 3));
        var refused = 0;
        for (var i = 0; i < 2000; i++)
        {
            var mutant = file.ToArray();
            for (var changes = random.Next(1, 5); changes > 0; changes--)
                mutant[random.Next(2, mutant.Length)] = (byte)random.Next(256);
            try
            {
                Jpeg.Decode(mutant.AsSpan(0, random.Next(4) == 0 ? random.Next(mutant.Length) : mutant.Length));
            }
            catch (PictureException)
            {
                refused++;
            }
        }

        Assert.InRange(refused, 1, 1999);
    }

    private static Picture Ramp(int width, int height, int channels)
    {
        var pixels = new byte[width * height * channels];
        for (var i = 0; i < pixels.Length; i++)
            pixels[i] = (byte)(i % channels == 3 ? 0 : 60 + (i / channels % width * 3) + (i / channels / width * 2));
        return new(width, height, channels, pixels);
    }
}
