using Microsoft.Extensions.Options;
using SaeUnbox.Web.Canvases;
using SaeUnbox.Web.Components.Pages.Paint;
using SaeUnbox.Web.Tests.Components;

namespace SaeUnbox.Web.Tests.Canvases;

public sealed class PaintStateTests : IDisposable
{
    private static readonly StoredState Nothing = new(null, null, null, null, null, -1, null);
    private static readonly Concept Roof = new("roof", "by hand",
    [
        new(Site.Composition, [new(7, .5, null), new(9, .1, null)])
        {
            Painting = new(EditMode.Add, 6, 2, .9),
            Removal = new(EditMode.ReplaceNearest, 1, 1, .8, Grow: 1),
        },
    ]);

    private static readonly ListAtlas Atlas = new(
        (Site.Composition, 3, "snow field"), (Site.Composition, 7, "red roof"), (Site.Composition, 9, "blue boat"))
    {
        Concepts = [Roof],
        OfNine = new("boat", 6, .9, null),
    };

    private readonly HandQueue _queue = new();
    private readonly HandClock _clock = new();
    private readonly CanvasOptions _options = new() { Burst = 1000, RequestsPerSecond = 1000 };
    private readonly ClientLimits _limits;
    private readonly CanvasRegistry _canvases;
    private readonly PaintState _state;
    private int _redraws;

    public PaintStateTests()
    {
        var catalogue = new OneModel { Atlas = Atlas };
        _limits = new ClientLimits(Options.Create(_options));
        _canvases = new CanvasRegistry(_queue, catalogue, _limits, Options.Create(_options), _clock);
        _state = new PaintState(_canvases, catalogue, _clock, () => _redraws++);
    }

    public void Dispose()
    {
        _canvases.Dispose();
        _limits.Dispose();
    }

    [Fact]
    public async Task Open_UnreadableLink_UsesTheDraftAndSaysWhy()
    {
        await OpenAsync(Nothing with { Link = "nonsense", Draft = House(1).ToJson() });

        Assert.Equal(House(1), _state.Recipe);
        Assert.StartsWith("This link cannot be read", _state.Notice!.Text);
        Assert.True(_state.Notice.IsError);
    }

    [Fact]
    public async Task Open_WithALinkMadeWithALora_SaysThatTheModelHasNone()
    {
        await OpenAsync(Nothing with { Link = (House(1) with { Loras = [new("style", 0.8, "0123456789abcdef")] }).ToLink() });

        Assert.Equal(House(1), _state.Recipe);
        Assert.Contains("was made with the LoRA style:0.8", _state.Notice!.Text);
    }

    [Fact]
    public async Task Open_WithAFeatureInTheAddress_AddsABlankLayer()
    {
        await OpenAsync(Nothing with { Draft = House(1).ToJson() }, layer: "down.2.1:7");

        Assert.Equal([0, 7], _state.Recipe.Edits.Select(edit => edit.Feature));
        Assert.True(_state.Recipe.Edits[1].Mask!.IsBlank);
        Assert.Equal("down.2.1 #7 red roof +8", _state.SelectedLabel);
    }

    [Fact]
    public async Task Open_StrokeMissingFromTheDraft_PaintsIt()
    {
        var mask = BrushMask.FromCells(32, 32, [.. Enumerable.Repeat(1f, 1024)]);
        var stored = Nothing with { Draft = House(2).ToJson(), PendingEdit = 1, PendingMask = mask.ToString() };

        await OpenAsync(stored);

        Assert.True(stored.HasStrokeOf(_state.Recipe));
        Assert.Equal(mask, _queue.Jobs.Single().Recipe.Edits[1].Mask);
    }

    [Fact]
    public async Task Open_WithALinkOverADraft_IsOneStepThatUndoTakesBack()
    {
        await OpenAsync(Nothing with { Link = House(2).ToLink(), Draft = House(1).ToJson() });
        Assert.Equal((House(2), "The recipe of the link is open. Undo returns to your previous recipe."),
            (_state.Recipe, _state.Notice!.Text));

        _state.Undo();

        Assert.Equal((House(1), false), (_state.Recipe, _state.Canvas!.CanUndo));
    }

    [Fact]
    public async Task Open_WithALinkAndAStrokeThatTheDraftLacks_KeepsTheStrokeForUndo()
    {
        var mask = BrushMask.FromCells(32, 32, [.. Enumerable.Repeat(1f, 1024)]);
        await OpenAsync(Nothing with
        {
            Link = House(2).ToLink(),
            Draft = House(1).ToJson(),
            PendingEdit = 0,
            PendingMask = mask.ToString(),
        });

        _state.Undo();

        Assert.Equal(mask, _state.Recipe.Edits.Single().Mask);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Open_AfterAnotherPageOrAReload_ContinuesUndoRedoAndTheHistory(bool isReload)
    {
        var earlier = _canvases.Create("ann", House(0));
        earlier.Change(_ => House(1));
        earlier.Change(_ => House(2));
        earlier.Undo();
        earlier.Pictures.Add(new(House(1), earlier.Version));

        await OpenAsync(
            Nothing with { Canvas = earlier.Id, Draft = House(1).ToJson() }, layer: "down.2.1:7", last: isReload ? null : earlier);

        Assert.NotSame(earlier, _state.Canvas);
        Assert.True(_state.Canvas!.Version > earlier.Version);
        Assert.Equal([0, 7], _state.Recipe.Edits.Select(edit => edit.Feature));
        Assert.Equal(House(1), _state.History.Single().Recipe);
        _state.Undo();
        Assert.Equal(House(1), _state.Recipe);
        _state.Undo();
        Assert.Equal(House(0), _state.Recipe);
        Assert.Equal(House(1), earlier.Recipe);
    }

    [Fact]
    public async Task Open_AfterAnUndo_CanStillRedo()
    {
        var earlier = _canvases.Create("ann", House(0));
        earlier.Change(_ => House(1));
        earlier.Undo();

        await OpenAsync(Nothing, last: earlier);
        _state.Redo();

        Assert.Equal(House(1), _state.Recipe);
    }

    [Fact]
    public async Task Open_WithARunningJob_ResumesIt()
    {
        var job = Guid.NewGuid();

        await OpenAsync(Nothing with { Job = job.ToString() });

        Assert.Equal(job, _queue.Jobs.Single().Id);
    }

    [Fact]
    public async Task Open_AllCanvasesWatched_RetriesOnceThereIsRoom()
    {
        _options.Most = 1;
        var other = _canvases.Create("bob", House(0));
        other.Updated += Ignore;
        var opened = _state.OpenAsync("ann", Nothing, null, null, TestContext.Current.CancellationToken);
        Assert.Equal((1, true), (_redraws, _state.Notice!.IsError));

        other.Updated -= Ignore;
        _clock.Advance(TimeSpan.FromMinutes(1));
        await opened.WaitAsync(Studio.Patience, TestContext.Current.CancellationToken);

        Assert.Equal((_state.Canvas, null), (await opened, _state.Notice));

        static void Ignore(CanvasUpdate update)
        {
        }
    }

    [Fact]
    public async Task Layers_AddedMovedDuplicatedAndRemoved_StaySelected()
    {
        await OpenAsync(Nothing with { Draft = House(2).ToJson() });

        _state.AddLayer(Atlas.Find(Site.Composition, 9)!);
        _state.MoveLayer(2, 0);
        Assert.Equal((0, 9), (_state.Selected, _state.SelectedEdit!.Feature));
        _state.DuplicateLayer(0);
        Assert.Equal([9, 9, 0, 1], _state.Recipe.Edits.Select(edit => edit.Feature));
        Assert.Equal(1, _state.Selected);
        _state.RemoveLayer(0);

        Assert.Equal([9, 0, 1], _state.Recipe.Edits.Select(edit => edit.Feature));
        Assert.Equal(1, _state.Selected);
    }

    [Fact]
    public async Task AddLayer_OverAnUnpaintedOne_ReplacesIt()
    {
        await OpenAsync(Nothing with { Draft = House(1).ToJson() });

        _state.AddLayer(Atlas.Find(Site.Composition, 7)!);
        _state.AddLayer(Atlas.Find(Site.Composition, 9)!, strength: 12);

        Assert.Equal([(0, 5d), (9, 12d)], _state.Recipe.Edits.Select(edit => (edit.Feature, edit.Strength)));
    }

    [Theory]
    [InlineData(7, 8)]
    [InlineData(9, 6)]
    public async Task AddLayer_OfAFeature_StartsAtItsGoodStrengthIfThatIsKnown(int feature, double strength)
    {
        await OpenAsync(Nothing with { Draft = House(0).ToJson() });

        _state.AddLayer(Atlas.Find(Site.Composition, feature)!);

        Assert.Equal(strength, _state.SelectedEdit!.Strength);
    }

    [Theory]
    [InlineData(0, Overlap.Cover)]
    [InlineData(1, Overlap.Cover)]
    [InlineData(2, Overlap.Sum)]
    public async Task AddLayer_WhereLayersCouldOverlapBefore_KeepsTheirRule(int layers, Overlap rule)
    {
        await OpenAsync(Nothing with { Draft = House(layers).ToJson() });

        _state.AddLayer(Atlas.Find(Site.Composition, 9)!);

        Assert.Equal(rule, _state.Recipe.Overlap);
    }

    [Fact]
    public async Task Hint_OfAnUnpaintedLayer_SaysToDrag()
    {
        await OpenAsync(Nothing with { Draft = House(0).ToJson() });
        Show(3, 7, 9, 9);
        _state.AddLayer(Atlas.Find(Site.Composition, 9)!);
        Assert.Equal("Drag on the picture to paint blue boat", _state.Hint);

        _state.Canvas!.Paint(0, null, isLast: true);

        Assert.Null(_state.Hint);
    }

    [Fact]
    public async Task PasteMask_OnALayerOfAnotherGrid_CoversTheSamePart()
    {
        var mask = BrushMask.FromCells(2, 2, [1, 0, 0, .5f]);
        await OpenAsync(Nothing with { Draft = House(1).ToJson() });
        _state.Canvas!.Change(recipe => recipe with
        {
            Edits = [recipe.Edits[0] with { Mask = mask.Scaled(32, 32) }, new(Site.Composition, 7, 5), new(Site.Composition, 9, 5)],
        });
        Assert.False(_state.CanPasteMask);

        _state.Select(0);
        _state.CopyMask();
        _state.Select(1);
        _state.PasteMask();

        Assert.Equal(mask.Scaled(32, 32), _state.Recipe.Edits[1].Mask);
        Assert.Null(_state.Recipe.Edits[2].Mask);
    }

    [Fact]
    public async Task ChangeLayer_AfterAStroke_KeepsTheStroke()
    {
        await OpenAsync(Nothing with { Draft = House(1).ToJson() });
        var before = _state.Recipe.Edits[0];
        var mask = BrushMask.FromCells(32, 32, new float[1024]);
        _state.Canvas!.Change(recipe => recipe with { Edits = [recipe.Edits[0] with { Mask = mask }] });

        _state.ChangeLayer(0, before with { Strength = 3 }, isStroke: false);

        Assert.Equal((3, mask), (_state.Recipe.Edits[0].Strength, _state.Recipe.Edits[0].Mask));
    }

    [Fact]
    public async Task ToggleSolo_Twice_RestoresWhichLayersWereOn()
    {
        await OpenAsync(Nothing with { Draft = WithOff(House(3), 1).ToJson() });

        var stored = _state.ToggleSolo(1);
        Assert.Equal([false, true, false], _state.Recipe.Edits.Select(edit => edit.Enabled));
        Assert.Equal(1, Solo.Restore(stored)!.Index);
        _state.ToggleSolo(2);
        Assert.Equal([false, false, true], _state.Recipe.Edits.Select(edit => edit.Enabled));

        Assert.Null(_state.ToggleSolo(2));
        Assert.Equal([true, false, true], _state.Recipe.Edits.Select(edit => edit.Enabled));
    }

    [Fact]
    public async Task RemoveLayer_DuringASolo_EndsIt()
    {
        await OpenAsync(Nothing with { Draft = House(3).ToJson() });
        _state.ToggleSolo(0);

        _state.RemoveLayer(0);

        Assert.Null(_state.Solo);
        Assert.All(_state.Recipe.Edits, edit => Assert.True(edit.Enabled));
    }

    [Fact]
    public async Task Undo_ThenRedo_ReturnsToTheSameRecipe()
    {
        await OpenAsync(Nothing with { Draft = House(1).ToJson() });
        _state.Generate("a boat", keepSeed: true);
        Assert.Equal(("a boat", House(1).Seed), (_state.Recipe.Prompt, _state.Recipe.Seed));

        _state.Undo();
        Assert.Equal("a house", _state.Recipe.Prompt);
        _state.Redo();

        Assert.Equal("a boat", _state.Recipe.Prompt);
    }

    [Fact]
    public async Task Change_BeyondTheLimits_ShowsAnErrorAndChangesNothing()
    {
        await OpenAsync(Nothing);
        var before = _state.Recipe;

        _state.Generate(new string('a', _options.PromptLength + 1), keepSeed: true);

        Assert.True(_state.Notice!.IsError);
        Assert.False(_state.IsBusy);
        Assert.Equal(before, _state.Recipe);
    }

    [Fact]
    public async Task Apply_Picture_ClearsTheQueueMessageAndListsFeatures()
    {
        await OpenAsync(Nothing);
        Assert.True(_state.Apply(new CanvasUpdate.Rejected(1, "full", TimeSpan.FromSeconds(1))));
        Assert.True(_state.Notice!.IsAboutQueue);

        Show(3, 7, 9, 9);

        Assert.Null(_state.Notice);
        Assert.True(_state.HasPicture);
        Assert.Equal([(9, 1.5), (7, .5), (3, .25)], _state.Active.Select(active => (active.Card.Feature, active.Relative)));
    }

    [Fact]
    public async Task PointAt_Cell_ListsOnlyItsFeatures()
    {
        await OpenAsync(Nothing);
        Show(3, 7, 9, 9);

        _state.PointAt(.9, .2);
        Assert.Equal((7, 2), (_state.Active.Single().Card.Feature, _state.Active.Single().Relative));
        Assert.True(_state.IsCellActive);

        _state.PointAway();
        Assert.Equal(3, _state.Active.Count);
    }

    [Theory]
    [InlineData(false, null, true)]
    [InlineData(true, null, false)]
    [InlineData(true, 5.0, true)]
    [InlineData(false, .5, false)]
    public async Task Apply_Wait_IsShownUnlessShortOrDuringAStroke(bool isStroke, double? seconds, bool isShown)
    {
        await OpenAsync(Nothing);
        _state.Apply(new CanvasUpdate.Changed(2, _state.Recipe.Check(), isStroke, Guid.NewGuid()));
        TimeSpan? expected = seconds is { } wait ? TimeSpan.FromSeconds(wait) : null;

        var isDrawn = _state.Apply(new CanvasUpdate.Status(2, new GenerationProgress.Waiting(Guid.NewGuid(), 2, expected)));

        Assert.Equal((isShown, isShown), (isDrawn, _state.Notice is not null));
    }

    [Fact]
    public async Task AddToHistory_SameRecipeTwice_AddsItOnce()
    {
        await OpenAsync(Nothing);
        var first = _state.Canvas!.Version;
        _state.AddToHistory(first);
        _state.AddToHistory(first);
        _state.Generate("a boat", keepSeed: true);
        _state.AddToHistory(first);
        _state.AddToHistory(_state.Canvas.Version);

        Assert.Equal([first, _state.Canvas.Version], _state.History.Select(entry => entry.Version));
        _state.RestoreEntry(0);
        Assert.Equal((0, _state.History[0].Recipe), (_state.ShownEntry, _state.Recipe));
    }

    [Fact]
    public async Task AddToHistory_Undone_ShowsTheEarlierEntryAgain()
    {
        await OpenAsync(Nothing);
        _state.AddToHistory(_state.Canvas!.Version);
        _state.Generate("a boat", keepSeed: true);
        _state.AddToHistory(_state.Canvas.Version);

        _state.Undo();

        Assert.True(_state.AddToHistory(_state.Canvas.Version));
        Assert.Equal((2, 0), (_state.History.Count, _state.ShownEntry));
    }

    [Fact]
    public async Task AddToHistory_PictureLikeTheShownOne_TakesItsPlace()
    {
        await OpenAsync(Nothing);
        _state.AddToHistory(_state.Canvas!.Version);
        _state.AddLayer(Atlas.Find(Site.Composition, 3)!);

        Assert.True(_state.AddToHistory(_state.Canvas.Version, isLikeShown: true));
        Assert.Equal(_state.Recipe, Assert.Single(_state.History).Recipe);
        Assert.False(_state.AddToHistory(_state.Canvas.Version - 1));
    }

    [Fact]
    public async Task AddLayer_OfAConcept_IsOneLayerWithItsMeasuredEdit()
    {
        await OpenAsync(Nothing with { Draft = House(1).ToJson() });

        _state.AddLayer(Roof);

        var layer = _state.Recipe.Edits[^1];
        Assert.Equal((2, 7, 6.0, "roof"), (_state.Recipe.Edits.Count, layer.Feature, layer.Strength, layer.Name));
        Assert.Equal([9], layer.Also);
        Assert.True(layer.Mask!.IsBlank);
        _state.Undo();
        Assert.Equal(House(1), _state.Recipe);
    }

    [Fact]
    public async Task Remove_ConceptUnderTheStroke_AddsALayerWithoutIt()
    {
        await OpenAsync(Nothing with { Draft = House(1).ToJson() });
        Show(3, 7, 9, 9);
        var region = BrushMask.FromCells(2, 2, [0, 1, 0, 0]);

        _state.Remove(region);

        var layer = _state.Recipe.Edits[^1];
        Assert.Equal(("without roof", 7, EditMode.ReplaceNearest, 1), (layer.Name, layer.Feature, layer.Mode, layer.Grow));
        Assert.Equal(region.Scaled(32, 32), layer.Mask);
        Assert.StartsWith("Removed here: roof", _state.Notice!.Text);
        _state.Undo();
        Assert.Equal(House(1), _state.Recipe);
    }

    [Fact]
    public async Task Remove_NoConceptThere_TakesTheClearestFeature()
    {
        await OpenAsync(Nothing with { Draft = House(1).ToJson() });
        Show(3, 7, 9, 9);

        _state.Remove(BrushMask.FromCells(2, 2, [1, 0, 0, 0]));

        var layer = _state.Recipe.Edits[^1];
        Assert.Equal(("without snow field", 3, EditMode.ReplaceNearest), (layer.Name, layer.Feature, layer.Mode));
    }

    [Fact]
    public async Task Remove_ChosenByName_TakesThatWhereverItIs()
    {
        await OpenAsync(Nothing with { Draft = House(1).ToJson() });
        Show(3, 7, 9, 9);
        _state.Thing = "roof";

        _state.Remove(BrushMask.FromCells(2, 2, [1, 0, 0, 0]));

        Assert.Equal("without roof", _state.Recipe.Edits[^1].Name);
    }

    [Fact]
    public async Task Remove_NothingReadOrMarked_ChangesNothing()
    {
        await OpenAsync(Nothing with { Draft = House(1).ToJson() });
        _state.Remove(BrushMask.FromCells(1, 1, [1]));
        Assert.StartsWith("The picture is still being read", _state.Notice!.Text);
        Show(3, 7, 9, 9);

        _state.Remove(BrushMask.FromCells(1, 1, [0]));
        _state.Remove(BrushMask.FromCells(1, 1, [1]));

        Assert.StartsWith("Nothing stands out there", _state.Notice!.Text);
        Assert.Equal(House(1), _state.Recipe);
    }

    [Fact]
    public async Task SelectRegion_OfAPicture_ListsWhatIsThereAndNotElsewhere()
    {
        await OpenAsync(Nothing);
        Show(3, 7, 9, 9);

        _state.SelectRegion(BrushMask.FromCells(2, 2, [0, 1, 0, 0]));

        Assert.Equal("roof", Assert.Single(_state.Region!.Concepts).Name);
        var found = Assert.Single(_state.Region.Features);
        Assert.Equal((7, 1.0), (found.Card.Feature, found.Score));
        _state.AddLayer(_state.Region.Whole!);
        Assert.Equal((7, 8.0), (_state.SelectedEdit!.Feature, _state.SelectedEdit.Strength));
        _state.SelectRegion(BrushMask.FromCells(1, 1, [0]));
        Assert.Null(_state.Region);
    }

    [Fact]
    public async Task OpenPicture_WithoutARecipe_ChangesNothing()
    {
        await OpenAsync(Nothing with { Draft = House(1).ToJson() });

        _state.OpenPicture(null);
        Assert.True(_state.Notice!.IsError);
        Assert.Equal(House(1), _state.Recipe);
        _state.OpenPicture(House(2).ToJson());

        Assert.False(_state.Notice.IsError);
        Assert.Equal(House(2), _state.Recipe);
    }

    [Fact]
    public void ToggleView_Again_ReturnsToThePicture()
    {
        Assert.Equal(View.Difference, _state.ToggleView(View.Difference));
        _state.ShowLeak(.125);
        Assert.StartsWith("12.5 %", _state.Leak);

        Assert.Equal(View.Picture, _state.ToggleView(View.Difference));
        Assert.Equal("", _state.Leak);
    }

    private static Recipe House(int layers) => OneModel.Mini.NewRecipe("a house") with
    {
        Edits = [.. Enumerable.Range(0, layers).Select(i => new FeatureEdit(Site.Composition, i, 5))],
    };

    private static Recipe WithOff(Recipe recipe, int layer) =>
        recipe with { Edits = [.. recipe.Edits.Select((edit, i) => edit with { Enabled = i != layer })] };

    private async Task OpenAsync(StoredState stored, string? layer = null, CanvasSession? last = null)
    {
        await _state.OpenAsync("ann", stored, layer, last, TestContext.Current.CancellationToken);
        _state.Canvas!.Updated += update => _state.Apply(update);
        await _state.ResumeAsync(stored, TestContext.Current.CancellationToken);
    }

    // The picture's map has 2 x 2 cells with one feature each, of strengths 1, 2, 3 and 3.
    private void Show(params int[] features)
    {
        var (job, values) = (_queue.Jobs[^1], new float[] { 1, 2, 3, 3 });
        var maps = new ActivationMaps([new SiteActivations(Site.Composition, 0, 2, 2, 512, features, values)]);
        _queue.Report(new GenerationProgress.Completed(new GenerationResult(job.Id, job.Recipe, new byte[] { 1 }, maps, [])));
    }
}
