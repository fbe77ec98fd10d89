namespace SaeUnbox.Core.Tests;

public sealed class LayerCoverTests
{
    [Fact]
    public void Visible_MasksThatOverlap_LeavesTheLowerOneItsFreeCells()
    {
        var (lower, upper) = (Layer(1, 1, 1, .5f), Layer(2, 0, 1, .25f));

        var visible = LayerCover.Visible([lower, upper]);

        Assert.Equal([lower with { Mask = Row(1, 0, .375f) }, upper], visible);
    }

    [Fact]
    public void Visible_MasksThatShareNoCell_ChangesNothing()
    {
        FeatureEdit[] edits = [Layer(1, 1, 0, 0), Layer(2, 0, .5f, 0), Layer(3, 0, 0, 0)];

        Assert.Equal(edits, LayerCover.Visible(edits));
    }

    [Fact]
    public void Visible_UnderALayerOfTheWholePicture_NothingIsLeft()
    {
        var everywhere = new FeatureEdit(Site.Style, 2, 5);

        Assert.Equal([everywhere, Layer(3, 0, 0, 0)], LayerCover.Visible([Layer(1, 1, 1, 1), everywhere, Layer(3, 0, 0, 0)]));
        Assert.Equal([everywhere with { Mask = Row(0, 1, 1) }, Layer(3, 1, 0, 0)], LayerCover.Visible([everywhere, Layer(3, 1, 0, 0)]));
    }

    [Fact]
    public void Visible_Scale_NeitherHidesNorIsHidden()
    {
        FeatureEdit[] edits =
        [
            Layer(1, 1, 1, 0), Layer(2, 1, 1, 1) with { Mode = EditMode.Scale },
            Layer(3, 0, 1, 1),
        ];

        Assert.Equal([edits[0] with { Mask = Row(1, 0, 0) }, edits[1], edits[2]], LayerCover.Visible(edits));
    }

    [Fact]
    public void Visible_ThreeLayers_EachHidesAllBelowIt()
    {
        var visible = LayerCover.Visible([Layer(1, 1, 1, 1), Layer(2, 1, 1, 0), Layer(3, 1, 0, 0)]);

        Assert.Equal([Row(0, 0, 1), Row(0, 1, 0), Row(1, 0, 0)], visible.Select(edit => edit.Mask));
    }

    private static FeatureEdit Layer(int feature, params float[] cells) => new(Site.Style, feature, 5) { Mask = Row(cells) };

    private static BrushMask Row(params float[] cells) => BrushMask.FromCells(1, cells.Length, cells);
}
