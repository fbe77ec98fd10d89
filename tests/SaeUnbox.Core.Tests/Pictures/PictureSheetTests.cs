namespace SaeUnbox.Core.Tests;

public class PictureSheetTests
{
    [Fact]
    public void Of_ThreePicturesInTwoColumns_StandInTwoRowsOnWhite()
    {
        var sheet = PictureSheet.Of([Plain(10), Plain(20), Plain(30)], 2, 8);

        Assert.Equal((8 + 4 + 8, 4 + 4 + 4), (sheet.Width, sheet.Height));
        Assert.Equal([10, 20, 30, 255, 255], new[] { At(0, 0), At(12, 3), At(7, 8), At(9, 1), At(12, 8) });

        int At(int x, int y) => sheet.Pixels[((y * sheet.Width) + x) * 3];
    }

    [Fact]
    public void Of_SmallPictures_AreNotEnlarged() =>
        Assert.Equal((16, 8), PictureSheet.Of([Plain(1)], 5, 500) is var sheet ? (sheet.Width, sheet.Height) : default);

    [Fact]
    public void Of_MoreThanASheetHolds_IsRefused() =>
        Assert.Throws<PictureException>(() => PictureSheet.Of(
            [.. Enumerable.Repeat(new Picture(4096, 4096, 3, new byte[4096 * 4096 * 3]), 4)], 4, 4096));

    private static Picture Plain(byte value)
    {
        var pixels = new byte[16 * 8 * 3];
        pixels.AsSpan().Fill(value);
        return new Picture(16, 8, 3, pixels);
    }
}
