using SaeUnbox.Web.Components.Pages.Paint;

namespace SaeUnbox.Web.Tests.Canvases;

/// <summary>Layers, and regions of the picture that become layers.</summary>
public sealed class PaintStateLayerTests : PaintStates
{
    [Fact]
    public async Task Layers_AddedMovedDuplicatedAndRemoved_StaySelected()
    {
        await OpenAsync(Nothing with { Draft = House(2).ToJson() });

        State.AddLayer(Atlas.Find(Site.Composition, 9)!);
        State.MoveLayer(2, 0);
        Assert.Equal((0, 9), (State.Selected, State.SelectedEdit!.Feature));
        State.DuplicateLayer(0);
        Assert.Equal([9, 9, 0, 1], State.Recipe.Edits.Select(edit => edit.Feature));
        Assert.Equal(1, State.Selected);
        State.RemoveLayer(0);

        Assert.Equal([9, 0, 1], State.Recipe.Edits.Select(edit => edit.Feature));
        Assert.Equal(1, State.Selected);
    }

    [Fact]
    public async Task AddLayer_OverAnUnpaintedOne_ReplacesIt()
    {
        await OpenAsync(Nothing with { Draft = House(1).ToJson() });

        State.AddLayer(Atlas.Find(Site.Composition, 7)!);
        State.AddLayer(Atlas.Find(Site.Composition, 9)!, strength: 12);

        Assert.Equal([(0, 5d), (9, 12d)], State.Recipe.Edits.Select(edit => (edit.Feature, edit.Strength)));
    }

    [Theory]
    [InlineData(7, 8)]
    [InlineData(9, 6)]
    public async Task AddLayer_OfAFeature_StartsAtItsGoodStrengthIfThatIsKnown(int feature, double strength)
    {
        await OpenAsync(Nothing with { Draft = House(0).ToJson() });

        State.AddLayer(Atlas.Find(Site.Composition, feature)!);

        Assert.Equal(strength, State.SelectedEdit!.Strength);
    }

    [Theory]
    [InlineData(0, Overlap.Cover)]
    [InlineData(1, Overlap.Cover)]
    [InlineData(2, Overlap.Sum)]
    public async Task AddLayer_WhereLayersCouldOverlapBefore_KeepsTheirRule(int layers, Overlap rule)
    {
        await OpenAsync(Nothing with { Draft = House(layers).ToJson() });

        State.AddLayer(Atlas.Find(Site.Composition, 9)!);

        Assert.Equal(rule, State.Recipe.Overlap);
    }

    [Fact]
    public async Task Hint_OfAnUnpaintedLayer_SaysToDrag()
    {
        await OpenAsync(Nothing with { Draft = House(0).ToJson() });
        Show(3, 7, 9, 9);
        State.AddLayer(Atlas.Find(Site.Composition, 9)!);
        Assert.Equal("Drag on the picture to paint blue boat", State.Hint);

        State.Canvas!.Paint(0, null, isLast: true);

        Assert.Null(State.Hint);
    }

    [Fact]
    public async Task PasteMask_OnALayerOfAnotherGrid_CoversTheSamePart()
    {
        var mask = BrushMask.FromCells(2, 2, [1, 0, 0, .5f]);
        await OpenAsync(Nothing with { Draft = House(1).ToJson() });
        State.Canvas!.Change(recipe => recipe with
        {
            Edits = [recipe.Edits[0] with { Mask = mask.Scaled(32, 32) }, new(Site.Composition, 7, 5), new(Site.Composition, 9, 5)],
        });
        Assert.False(State.CanPasteMask);

        State.Select(0);
        State.CopyMask();
        State.Select(1);
        State.PasteMask();

        Assert.Equal(mask.Scaled(32, 32), State.Recipe.Edits[1].Mask);
        Assert.Null(State.Recipe.Edits[2].Mask);
    }

    [Fact]
    public async Task ChangeLayer_AfterAStroke_KeepsTheStroke()
    {
        await OpenAsync(Nothing with { Draft = House(1).ToJson() });
        var before = State.Recipe.Edits[0];
        var mask = BrushMask.FromCells(32, 32, new float[1024]);
        State.Canvas!.Change(recipe => recipe with { Edits = [recipe.Edits[0] with { Mask = mask }] });

        State.ChangeLayer(0, before with { Strength = 3 }, isStroke: false);

        Assert.Equal((3, mask), (State.Recipe.Edits[0].Strength, State.Recipe.Edits[0].Mask));
    }

    [Fact]
    public async Task ToggleSolo_Twice_RestoresWhichLayersWereOn()
    {
        await OpenAsync(Nothing with { Draft = WithOff(House(3), 1).ToJson() });

        var stored = State.ToggleSolo(1);
        Assert.Equal([false, true, false], State.Recipe.Edits.Select(edit => edit.Enabled));
        Assert.Equal(1, Solo.Restore(stored)!.Index);
        State.ToggleSolo(2);
        Assert.Equal([false, false, true], State.Recipe.Edits.Select(edit => edit.Enabled));

        Assert.Null(State.ToggleSolo(2));
        Assert.Equal([true, false, true], State.Recipe.Edits.Select(edit => edit.Enabled));
    }

    [Fact]
    public async Task RemoveLayer_DuringASolo_EndsIt()
    {
        await OpenAsync(Nothing with { Draft = House(3).ToJson() });
        State.ToggleSolo(0);

        State.RemoveLayer(0);

        Assert.Null(State.Solo);
        Assert.All(State.Recipe.Edits, edit => Assert.True(edit.Enabled));
    }

    [Fact]
    public async Task AddLayer_OfAConcept_IsOneLayerWithItsMeasuredEdit()
    {
        await OpenAsync(Nothing with { Draft = House(1).ToJson() });

        State.AddLayer(Roof);

        var layer = State.Recipe.Edits[^1];
        Assert.Equal((2, 7, 6.0, "roof"), (State.Recipe.Edits.Count, layer.Feature, layer.Strength, layer.Name));
        Assert.Equal([9], layer.Also);
        Assert.True(layer.Mask!.IsBlank);
        State.Undo();
        Assert.Equal(House(1), State.Recipe);
    }

    [Fact]
    public async Task Remove_ConceptUnderTheStroke_AddsALayerWithoutIt()
    {
        await OpenAsync(Nothing with { Draft = House(1).ToJson() });
        Show(3, 7, 9, 9);
        var region = BrushMask.FromCells(2, 2, [0, 1, 0, 0]);

        State.Remove(region);

        var layer = State.Recipe.Edits[^1];
        Assert.Equal(("without roof", 7, EditMode.ReplaceNearest, 1), (layer.Name, layer.Feature, layer.Mode, layer.Grow));
        Assert.Equal(region.Scaled(32, 32), layer.Mask);
        Assert.StartsWith("Removed here: roof", State.Notice!.Text);
        State.Undo();
        Assert.Equal(House(1), State.Recipe);
    }

    [Fact]
    public async Task Remove_NoConceptThere_TakesTheClearestFeature()
    {
        await OpenAsync(Nothing with { Draft = House(1).ToJson() });
        Show(3, 7, 9, 9);

        State.Remove(BrushMask.FromCells(2, 2, [1, 0, 0, 0]));

        var layer = State.Recipe.Edits[^1];
        Assert.Equal(("without snow field", 3, EditMode.ReplaceNearest), (layer.Name, layer.Feature, layer.Mode));
    }

    [Fact]
    public async Task Remove_ChosenByName_TakesThatWhereverItIs()
    {
        await OpenAsync(Nothing with { Draft = House(1).ToJson() });
        Show(3, 7, 9, 9);
        State.Thing = "roof";

        State.Remove(BrushMask.FromCells(2, 2, [1, 0, 0, 0]));

        Assert.Equal("without roof", State.Recipe.Edits[^1].Name);
    }

    [Fact]
    public async Task Remove_NothingReadOrMarked_ChangesNothing()
    {
        await OpenAsync(Nothing with { Draft = House(1).ToJson() });
        State.Remove(BrushMask.FromCells(1, 1, [1]));
        Assert.StartsWith("The picture is still being read", State.Notice!.Text);
        Show(3, 7, 9, 9);

        State.Remove(BrushMask.FromCells(1, 1, [0]));
        State.Remove(BrushMask.FromCells(1, 1, [1]));

        Assert.StartsWith("Nothing stands out there", State.Notice!.Text);
        Assert.Equal(House(1), State.Recipe);
    }

    [Fact]
    public async Task SelectRegion_OfAPicture_ListsWhatIsThereAndNotElsewhere()
    {
        await OpenAsync(Nothing);
        Show(3, 7, 9, 9);

        State.SelectRegion(BrushMask.FromCells(2, 2, [0, 1, 0, 0]));

        Assert.Equal("roof", Assert.Single(State.Region!.Concepts).Name);
        var found = Assert.Single(State.Region.Features);
        Assert.Equal((7, 1.0), (found.Card.Feature, found.Score));
        State.AddLayer(State.Region.Whole!);
        Assert.Equal((7, 8.0), (State.SelectedEdit!.Feature, State.SelectedEdit.Strength));
        State.SelectRegion(BrushMask.FromCells(1, 1, [0]));
        Assert.Null(State.Region);
    }
}
