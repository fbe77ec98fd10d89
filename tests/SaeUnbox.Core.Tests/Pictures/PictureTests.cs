namespace SaeUnbox.Core.Tests;

public class PictureTests
{
    [Theory]
    [InlineData(2, 2, 3, 11)]
    [InlineData(2, 2, 2, 8)]
    [InlineData(0, 2, 3, 0)]
    [InlineData(-1, -1, 3, 3)]
    [InlineData(65536, 65536, 4, 0)]
    [InlineData(4097, 4096, 3, 0)]
    public void Constructor_MismatchedSizes_Throws(int width, int height, int channels, int bytes)
    {
        Assert.Throws<PictureException>(() => new Picture(width, height, channels, new byte[bytes]));
    }

    [Fact]
    public void Decode_NeitherPngNorJpeg_SaysSo()
    {
        Assert.Contains("neither PNG nor JPEG", Assert.Throws<PictureException>(() => Picture.Decode("P6 2 2 255"u8)).Message);
        Assert.Throws<PictureException>(() => Picture.Decode([]));
    }

    [Fact]
    public void PaintedPixels_PictureWithAlpha_CountTheAlphaFromOneHalfOn()
    {
        var picture = new Picture(2, 2, 4, [9, 9, 9, 0, 0, 0, 0, 128, 255, 255, 255, 127, 0, 0, 0, 255]);

        Assert.Equal([0, 255, 0, 255], picture.PaintedPixels());
    }

    [Fact]
    public void PaintedPixels_AlphaThatIsOpaqueEverywhere_SaysNothing() =>
        Assert.Equal([0, 255], new Picture(2, 1, 4, [0, 0, 0, 255, 255, 255, 255, 255]).PaintedPixels());

    [Fact]
    public void PaintedPixels_PictureWithoutAlpha_CountTheBrightestChannel()
    {
        Assert.Equal([0, 255], new Picture(2, 1, 3, [127, 127, 127, 0, 130, 1]).PaintedPixels());
    }

    [Fact]
    public void ToRgb_ThenBack_KeepsTheColours()
    {
        var rgba = new Picture(2, 1, 4, [1, 2, 3, 4, 5, 6, 7, 8]);

        Assert.Equal([1, 2, 3, 5, 6, 7], rgba.ToRgb().Pixels.ToArray());
        Assert.Equal([1, 2, 3, 255, 5, 6, 7, 255], rgba.ToRgb().ToRgba().Pixels.ToArray());
        Assert.Same(rgba, rgba.ToRgba());
    }
}
