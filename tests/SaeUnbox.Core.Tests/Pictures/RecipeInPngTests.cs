namespace SaeUnbox.Core.Tests;

public class RecipeInPngTests
{
    [Fact]
    public void FindText_SavedPicture_GivesBackTheRecipe()
    {
        var recipe = new Recipe
        {
            Model = "mini",
            Prompt = "a café, 日本 👩‍🚀",
            Edits = [new(Site.Style, 7, -2.5) { Mask = BrushMask.FromCells(2, 2, [0, 0.5f, 1, 0.3f]) }],
        };

        var file = Png.Encode(new(1, 1, 3, new byte[3]), new Dictionary<string, string> { [Recipe.PngKeyword] = recipe.ToJson() });

        Assert.Equal(recipe, Recipe.FromJson(Png.FindText(file, Recipe.PngKeyword)!));
    }
}
