using SaeUnbox.Mini.Scenes.Drawing;

namespace SaeUnbox.Mini.Tests.Scenes;

public sealed class CoverageMaskTests
{
    [Fact]
    public void Coverage_RectangleOffThePixelGrid_IsTheExactAreaOfEachPixel()
    {
        var mask = new CoverageMask(4);

        mask.AddPolygon([(.5f, .25f), (2.75f, .25f), (2.75f, 1.5f), (.5f, 1.5f)]);

        Assert.Equal([.375f, .75f, .5625f], Row(mask, 0)[..3], Close);
        Assert.Equal([.25f, .5f, .375f], Row(mask, 1)[..3], Close);
    }

    [Fact]
    public void Coverage_Disc_SumsToItsArea()
    {
        var mask = new CoverageMask(32);
        mask.AddPolygon([.. Enumerable.Range(0, 720)
            .Select(i => (16.3f + 9 * MathF.Cos(i * MathF.PI / 360), 15.1f + 9 * MathF.Sin(i * MathF.PI / 360)))]);

        var area = Enumerable.Range(mask.Top, mask.Bottom - mask.Top).Sum(row => Row(mask, row).Sum());

        Assert.Equal(Math.PI * 81, area, .05);
    }

    [Fact]
    public void Coverage_OverlappingPartsOfEitherOrientation_CountOnce()
    {
        var mask = new CoverageMask(8);
        mask.AddPolygon([(1, 1), (5, 1), (5, 5), (1, 5)]);
        mask.AddPolygon([(3, 3), (3, 7), (7, 7), (7, 3)]);

        Assert.All(Row(mask, 3)[..(7 - 1)], covered => Assert.Equal(1, covered, 1e-5f));
    }

    [Fact]
    public void Coverage_ShapeBeyondEveryBorder_FillsThePicture()
    {
        var mask = new CoverageMask(4);
        mask.AddPolygon([(-3, -3), (9, -3), (9, 9), (-3, 9)]);

        for (var row = 0; row < 4; row++)
            Assert.Equal([1, 1, 1, 1], Row(mask, row), Close);
    }

    [Fact]
    public void Clear_AfterAShape_LeavesNothing()
    {
        var mask = new CoverageMask(4);
        mask.AddPolygon([(0, 0), (3.3f, .2f), (1, 4)]);
        mask.Clear();
        mask.AddPolygon([(1, 1), (2, 1), (2, 2), (1, 2)]);

        Assert.Equal((1, 2), (mask.Top, mask.Bottom));
        Assert.Equal(1, Row(mask, 1).Sum(), 1e-5f);
    }

    private static float[] Row(CoverageMask mask, int row) => mask.Coverage(row, out _).ToArray();

    private static bool Close(float a, float b) => Math.Abs(a - b) < 1e-5f;
}
