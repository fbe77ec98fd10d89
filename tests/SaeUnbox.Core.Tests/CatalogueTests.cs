namespace SaeUnbox.Core.Tests;

public class CatalogueTests
{
    [Theory]
    [InlineData(512, 512, 16, 16)]
    [InlineData(768, 512, 16, 24)]
    [InlineData(520, 512, 16, 17)]
    public void Grid_OfAPicture_CoversEveryPixel(int width, int height, int rows, int columns)
    {
        Assert.Equal((rows, columns), new SaeInfo(Site.Style, 5120, 10, 1280, CellSize: 32).Grid(width, height));
    }

    [Fact]
    public void NameOf_ASite_IsWhatTheModelCallsIt()
    {
        var model = new ModelInfo("sd", "sd", 50, 7.5, 512, 512,
            [new SaeInfo(Site.Up(1, 1), 10, 2, 8, 16) { Nickname = "objects" }, new SaeInfo(Site.Composition, 10, 2, 8, 16)]);

        Assert.Equal("objects", model.NameOf(Site.Up(1, 1)));
        Assert.Equal("down.2.1", model.NameOf(Site.Composition));
        Assert.Equal("up.3.2", model.NameOf(Site.Up(3, 2)));
    }

    [Fact]
    public void NewRecipe_OfAModel_HasItsSettings()
    {
        var model = new ModelInfo("base", "SDXL base", 25, 8, 1024, 1024, []);

        var recipe = model.NewRecipe("a dog");

        Assert.Equal(new Recipe { Model = "base", Prompt = "a dog", Steps = 25, Guidance = 8, Width = 1024, Height = 1024 }, recipe);
        Assert.Empty(recipe.Validate());
    }
}
