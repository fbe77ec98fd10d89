using SaeUnbox.Web.Components.Pages.Explore;

namespace SaeUnbox.Web.Tests.Components;

public sealed class ExploreStateTests
{
    private static readonly ModelInfo Model =
        new("mini", "Small model", 4, 2, 256, 256, [new(Site.Composition, 512, 8, 64, 16), new(Site.Style, 512, 8, 64, 16)]);
    private static readonly Recipe Example = new() { Model = "mini", Prompt = "a house", Seed = 9 };

    [Fact]
    public void Read_Written_IsEqual()
    {
        var state = new ExploreState(Model.NewRecipe("a boat & a tree?") with { Seed = 5, Steps = 7, Guidance = 1.5 }, Site.Style,
            300, ExploreState.Ablate, new(Site.Composition, 62, 2.5));

        Assert.Equal(state, Read([.. Written(state)]));
        Assert.DoesNotContain("steps", Written(state with { Recipe = Model.NewRecipe("a boat") }).Select(part => part.Key));
    }

    [Fact]
    public void Read_Invalid_IsTheExampleAtTheFirstSite()
    {
        var example = new ExploreState(Model.NewRecipe("a house") with { Seed = 9 }, Site.Composition);

        Assert.Equal(example, Read());
        Assert.Equal(example,
            Read(("seed", "abc"), ("steps", "-1"), ("guidance", "much"), ("site", "up.9.9"), ("feature", "1.5"),
                ("intervention", "explode"), ("change", "down.2.1:512:0")));
        foreach (var change in new[]
        {
            "",
            "down.2.1",
            "down.2.1:1",
            "up.9.9:1:0",
            "down.2.1:-1:0",
            "down.2.1:1:-1",
            "down.2.1:1:6",
            "down.2.1:1:NaN"
        })
            Assert.Equal(example, Read(("change", change)));
    }

    [Fact]
    public void ChangedRecipe_OfAFactor_ScalesTheFeatureAboveTheLayers()
    {
        var layer = new FeatureEdit(Site.Style, 3, 8);
        var state = new ExploreState(Model.NewRecipe("a boat") with { Edits = [layer] }, Change: new(Site.Composition, 62, 0));

        Assert.True(state.IsChanged);
        Assert.Equal([layer, new FeatureEdit(Site.Composition, 62, -1) { Mode = EditMode.Scale }], state.ChangedRecipe.Edits);
        Assert.Equal(state.Recipe, (state with { Change = null }).ChangedRecipe);
    }

    private static IEnumerable<(string Key, string Value)> Written(ExploreState state) =>
        state
            .ToParameters(Model)
            .Where(part => part.Value is not null)
            .Select(part => (part.Key, FormattableString.Invariant($"{part.Value}")));

    private static ExploreState Read(params (string Key, string Value)[] parts) =>
        ExploreState.Read(parts.ToDictionary(part => part.Key, part => part.Value), Model, Example);
}
