namespace SaeUnbox.Core.Tests;

public class HeatmapOverlayTests
{
    private static readonly Picture Black = new(4, 2, 3, new byte[24]);

    [Theory]
    [InlineData(0f, 0f)]
    [InlineData(3f, 3f)]
    [InlineData(float.NaN, 1f)]
    [InlineData(0f, float.PositiveInfinity)]
    public void Draw_FlatMap_DrawsNothing(float left, float right)
    {
        PictureSamples.AssertSame(Black.ToRgba(), HeatmapOverlay.Draw(Black, [left, right], 1, 2));
    }

    [Fact]
    public void Draw_TwoCells_ColoursTheBlockOfTheLargerOne()
    {
        var drawn = HeatmapOverlay.Draw(Black, [0, 1], 1, 2);

        // Jet ends in half red, at an opacity of 0.6.
        Assert.Equal([0, 0, 76, 76, 0, 0, 76, 76], Enumerable.Range(0, 8).Select(i => (int)drawn.Pixels[i * 4]));
        Assert.True(Enumerable.Range(0, 8).All(i => drawn.Pixels[(i * 4) + 3] == 255));
    }

    [Fact]
    public void Draw_OverTransparency_ShowsTheColourAtItsOpacity()
    {
        var clear = new Picture(2, 1, 4, new byte[8]);

        var drawn = HeatmapOverlay.Draw(clear, [0, 1], 1, 2);

        Assert.Equal([0, 0, 0, 0, 127, 0, 0, 153], drawn.Pixels.ToArray());
    }

    [Fact]
    public void Draw_MapOfAnotherSize_Throws()
    {
        Assert.Throws<ArgumentException>(() => HeatmapOverlay.Draw(Black, [1, 2, 3], 2, 2));
    }

    [Theory]
    [InlineData(-0.5, 0)]
    [InlineData(0.0, 0)]
    [InlineData(0.5, 128)]
    [InlineData(0.999, 255)]
    [InlineData(1.0, 255)]
    public void Entry_OfANumber_IsItsPlaceInTheTable(double value, int entry)
    {
        Assert.Equal(entry, JetColours.Entry(value));
    }
}
