namespace SaeUnbox.Core.Tests;

public sealed class CheckedRecipeTests
{
    private static readonly ModelInfo Model =
        new("mini", "mini", 1, 0, 64, 64, [new SaeInfo(Site.Composition, 10, 2, 8, 16), new SaeInfo(Site.Style, 10, 2, 8, 8)]);

    private static readonly CheckedRecipe Start = (Model.NewRecipe("a dog") with
    {
        Edits = [new FeatureEdit(Site.Composition, 1, 5), new FeatureEdit(Site.Style, 2, 5) { Mask = Blank(8) }],
    }).Check();

    [Fact]
    public void WithMask_RightSize_EqualsAFullCheck()
    {
        var mask = Blank(4);
        var painted = Start.WithMask(0, mask, Model);

        Assert.Same(mask, painted.Recipe.Edits[0].Mask);
        Assert.Equal(Start.Recipe.Edits[1], painted.Recipe.Edits[1]);
        Assert.Equal(painted.Recipe.Check(), painted);
        Assert.Equal(painted.Recipe.ToJson(), painted.ToJson());
        Assert.Null(Start.Recipe.Edits[0].Mask);
    }

    [Theory]
    [InlineData(-1, 4, "edit")]
    [InlineData(2, 4, "edit")]
    [InlineData(0, 8, "edits[0].mask")]
    [InlineData(1, 4, "edits[1].mask")]
    public void WithMask_WrongSize_NamesTheField(int edit, int side, string field) =>
        Assert.Equal(field, Assert.Single(Assert.Throws<RecipeException>(() => Start.WithMask(edit, Blank(side), Model)).Errors).Field);

    [Fact]
    public void WithMask_TooManyCells_IsRefused()
    {
        var wide = Model with { Width = 2048, Height = 2048 };
        var full = new FeatureEdit(Site.Style, 1, 5) { Mask = Blank(256) };
        var recipe = (wide.NewRecipe() with { Edits = [full, full, full, full, full with { Mask = null }] }).Check();

        Assert.Contains("cells in all masks", Assert.Throws<RecipeException>(() => recipe.WithMask(4, Blank(256), wide)).Message);
    }

    private static BrushMask Blank(int side) => BrushMask.FromCells(side, side, new float[side * side]);
}
