namespace SaeUnbox.Core.Tests;

public class JpegTests
{
    [Theory]
    [InlineData(3, 95)]
    [InlineData(4, 75)]
    public void Encode_SmoothPicture_DecodesNearlyEqual(int channels, int quality)
    {
        var picture = PictureSamples.Ramp(40, 24, channels);

        var read = Picture.Decode(Jpeg.Encode(picture, quality));

        Assert.Equal((40, 24, 3), (read.Width, read.Height, read.Channels));
        Assert.InRange(PictureSamples.MeanDifference(picture.ToRgb().Pixels, read.Pixels), 0, 4);
    }

    [Theory]
    [InlineData(75)]
    [InlineData(95)]
    public void Decode_Jpeg_AgreesNearlyWithAnotherDecoder(int quality)
    {
        var file = Jpeg.Encode(PictureSamples.Ramp(40, 24, 3), quality);

        Assert.InRange(PictureSamples.MeanDifference(OtherDecoder.Decode(file, 3).Pixels, Jpeg.Decode(file).Pixels), 0, 1);
    }

    [Fact]
    public void Decode_Metadata_ChangesNothing()
    {
        var plain = Jpeg.Encode(PictureSamples.Ramp(16, 16, 3));
        byte[] broken = [0xFF, 0xE1, 0, 10, .. "Exif\0\0MM"u8, 0xFF, 0xE2, 0, 16, .. "ICC_PROFILE\0\u0009\u0001"u8, 0xFF, 0xFE, 0, 4, 1, 2];

        PictureSamples.AssertSame(Jpeg.Decode(plain), Jpeg.Decode([.. plain.AsSpan(0, 2), .. broken, .. plain.AsSpan(2)]));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(101)]
    public void Encode_QualityOutOfRange_Throws(int quality)
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Jpeg.Encode(PictureSamples.Ramp(8, 8, 3), quality));
    }

    [Fact]
    public void Decode_HugeSize_IsRefusedBeforeUnpacking()
    {
        var file = Jpeg.Encode(PictureSamples.Ramp(8, 8, 3));
        var frame = file.AsSpan().IndexOf<byte>([0xFF, 0xC0]);
        file.AsSpan(frame + 5, 4).Fill(0xFF);

        Assert.Contains("65535 x 65535", Assert.Throws<PictureException>(() => Jpeg.Decode(file)).Message);
    }

    [Fact]
    public void Decode_FileCutBeforeItsPixels_IsRefused()
    {
        var file = Jpeg.Encode(PictureSamples.Ramp(8, 8, 3));
        var scan = file.AsSpan().IndexOf<byte>([0xFF, 0xDA]);

        for (var length = 0; length < scan; length++)
            Assert.Throws<PictureException>(() => Jpeg.Decode(file.AsSpan(0, length)));
    }

    [Fact]
    public void Decode_MutatedFile_GivesAPictureOrAPictureException()
    {
        var random = new Random(1);
        var file = Jpeg.Encode(PictureSamples.Ramp(24, 24, 3));
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
}
