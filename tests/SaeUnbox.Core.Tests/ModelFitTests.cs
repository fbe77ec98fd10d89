namespace SaeUnbox.Core.Tests;

public class ModelFitTests
{
    private static readonly ModelInfo Mini = new("mini", "Mini", 1, 0, 256, 256,
        [new SaeInfo(Site.Composition, 512, 8, 64, CellSize: 32), new SaeInfo(Site.Details, 512, 8, 64, CellSize: 16)]);
    private static readonly FeatureEdit Good = new(Site.Composition, 511, 5) { Mask = BrushMask.FromCells(8, 8, new float[64]) };

    [Fact]
    public void Check_EveryFieldWrong_NamesEach()
    {
        var recipe = Mini.NewRecipe() with
        {
            Edits = [
                new FeatureEdit(Site.Composition, 512, 1),
                Good with { Also = [3, 512] },
                Good,
                Good with { Site = Site.Details },
                Good with { Site = Site.Style }
            ],
            Interventions = [new SiteIntervention.Icon(Site.Details, 512), new SiteIntervention.Reconstruct(Site.Style)],
        };

        var errors = ModelFit.Check(recipe, Mini);

        Assert.Equal(
            ["edits[0].feature", "edits[1].also[1]", "edits[3].mask", "edits[4].site", "interventions[0].feature", "interventions[1].site"],
            errors.Select(error => error.Field));
        Assert.Contains("16 x 16 at 256 x 256 pixels", errors[2].Message);
    }

    [Fact]
    public void Restore_OtherLoras_GivesTheModelsAndSaysSo()
    {
        RecipeLora style = new("style", 0.8, "0123456789abcdef"), other = new("other", 1, "fedcba9876543210");
        var model = Mini with { Loras = [style] };

        var (recipe, dropped) = ModelFit.Restore(Mini.NewRecipe() with { Loras = [other] }, model);

        Assert.Equal([style], recipe.Loras);
        var error = Assert.Single(dropped);
        Assert.Equal("loras", error.Field);
        Assert.Contains("other:1", error.Message);
        Assert.Contains("style:0.8", error.Message);
        Assert.Contains("no LoRA", Assert.Single(ModelFit.Restore(Mini.NewRecipe(), model).Dropped).Message);
        Assert.Empty(ModelFit.Restore(model.NewRecipe(), model).Dropped);
        Assert.Empty(ModelFit.Restore(Mini.NewRecipe() with { Loras = [style with { Name = "renamed" }] }, model).Dropped);
        Assert.Single(ModelFit.Restore(Mini.NewRecipe() with { Loras = [style with { Scale = 0.7 }] }, model).Dropped);
    }

    [Fact]
    public void Restore_UnusableEdits_KeepsTheOthers()
    {
        var recipe = Mini.NewRecipe("a dog") with
        {
            Seed = 7,
            Edits = [Good with { Feature = 9999 }, Good],
            Interventions = [new SiteIntervention.Ablate(Site.Style)]
        };

        var restored = ModelFit.Restore(recipe, Mini);

        Assert.Equal(recipe with { Edits = [Good] }, restored.Recipe);
        Assert.Equal("edits[0].feature", Assert.Single(restored.Dropped).Field);
    }

    [Fact]
    public void Restore_SizeOfAnEarlierVersion_GetsTheModelsSizeAndKeepsTheMask()
    {
        var model = new ModelInfo("mini", "Mini", 1, 0, 512, 512, [new SaeInfo(Site.Composition, 512, 8, 64, CellSize: 64)])
        {
            FormerSide = 256,
        };
        var recipe = model.NewRecipe("a dog") with { Edits = [Good] };

        Assert.Equal((recipe, 0), Restored(recipe with { Width = 256, Height = 256 }));
        Assert.Equal((256, 1), (Restored(recipe with { Width = 256 }).Recipe.Width, Restored(recipe with { Width = 256 }).Dropped));

        (Recipe Recipe, int Dropped) Restored(Recipe stored)
        {
            var restored = ModelFit.Restore(stored, model);
            return (restored.Recipe, restored.Dropped.Count);
        }
    }

    [Fact]
    public void Require_UnknownModel_ListsTheModels()
    {
        var error = Assert.Throws<RecipeException>(() => ModelFit.Require(Mini.NewRecipe() with { Model = "turbo" }, new Models(Mini)));

        Assert.Equal("model", Assert.Single(error.Errors).Field);
        Assert.Contains("mini", error.Message);
    }

    [Fact]
    public void Require_ModelOutOfSight_UsesTheLastSeen()
    {
        Assert.Same(Mini, ModelFit.Require(Mini.NewRecipe(), new Models(), Mini));
        Assert.Throws<RecipeException>(() => ModelFit.Require(Mini.NewRecipe() with { Edits = [Good with { Feature = 512 }] },
            new Models(), Mini));
    }

    private sealed class Models(params ModelInfo[] models) : IModelCatalogue
    {
        IReadOnlyList<ModelInfo> IModelCatalogue.Models => models;

        public IFeatureAtlas? AtlasOf(string model) => null;
    }
}
