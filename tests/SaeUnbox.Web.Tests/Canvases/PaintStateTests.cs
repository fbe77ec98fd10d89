using SaeUnbox.Web.Canvases;
using SaeUnbox.Web.Components.Pages.Paint;

namespace SaeUnbox.Web.Tests.Canvases;

/// <summary>How the page opens, and what it shows of a canvas.</summary>
public sealed class PaintStateTests : PaintStates
{
    [Fact]
    public async Task Open_UnreadableLink_UsesTheDraftAndSaysWhy()
    {
        await OpenAsync(Nothing with { Link = "nonsense", Draft = House(1).ToJson() });

        Assert.Equal(House(1), State.Recipe);
        Assert.StartsWith("This link cannot be read", State.Notice!.Text);
        Assert.True(State.Notice.IsError);
    }

    [Fact]
    public async Task Open_WithALinkMadeWithALora_SaysThatTheModelHasNone()
    {
        await OpenAsync(Nothing with { Link = (House(1) with { Loras = [new("style", 0.8, "0123456789abcdef")] }).ToLink() });

        Assert.Equal(House(1), State.Recipe);
        Assert.Contains("was made with the LoRA style:0.8", State.Notice!.Text);
    }

    [Fact]
    public async Task Open_WithAFeatureInTheAddress_AddsABlankLayer()
    {
        await OpenAsync(Nothing with { Draft = House(1).ToJson() }, layer: "down.2.1:7");

        Assert.Equal([0, 7], State.Recipe.Edits.Select(edit => edit.Feature));
        Assert.True(State.Recipe.Edits[1].Mask!.IsBlank);
        Assert.Equal("down.2.1 #7 red roof +8", State.SelectedLabel);
    }

    [Fact]
    public async Task Open_StrokeMissingFromTheDraft_PaintsIt()
    {
        var mask = BrushMask.FromCells(32, 32, [.. Enumerable.Repeat(1f, 1024)]);
        var stored = Nothing with { Draft = House(2).ToJson(), PendingEdit = 1, PendingMask = mask.ToString() };

        await OpenAsync(stored);

        Assert.True(stored.HasStrokeOf(State.Recipe));
        Assert.Equal(mask, Queue.Jobs.Single().Recipe.Edits[1].Mask);
    }

    [Fact]
    public async Task Open_WithALinkOverADraft_IsOneStepThatUndoTakesBack()
    {
        await OpenAsync(Nothing with { Link = House(2).ToLink(), Draft = House(1).ToJson() });
        Assert.Equal((House(2), "The recipe of the link is open. Undo returns to your previous recipe."),
            (State.Recipe, State.Notice!.Text));

        State.Undo();

        Assert.Equal((House(1), false), (State.Recipe, State.Canvas!.CanUndo));
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

        State.Undo();

        Assert.Equal(mask, State.Recipe.Edits.Single().Mask);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Open_AfterAnotherPageOrAReload_ContinuesUndoRedoAndTheHistory(bool isReload)
    {
        var earlier = Canvases.Create("ann", House(0));
        earlier.Change(_ => House(1));
        earlier.Change(_ => House(2));
        earlier.Undo();
        earlier.Pictures.Add(new(House(1), earlier.Version));

        await OpenAsync(
            Nothing with { Canvas = earlier.Id, Draft = House(1).ToJson() }, layer: "down.2.1:7", last: isReload ? null : earlier);

        Assert.NotSame(earlier, State.Canvas);
        Assert.True(State.Canvas!.Version > earlier.Version);
        Assert.Equal([0, 7], State.Recipe.Edits.Select(edit => edit.Feature));
        Assert.Equal(House(1), State.History.Single().Recipe);
        State.Undo();
        Assert.Equal(House(1), State.Recipe);
        State.Undo();
        Assert.Equal(House(0), State.Recipe);
        Assert.Equal(House(1), earlier.Recipe);
    }

    [Fact]
    public async Task Open_AfterAnUndo_CanStillRedo()
    {
        var earlier = Canvases.Create("ann", House(0));
        earlier.Change(_ => House(1));
        earlier.Undo();

        await OpenAsync(Nothing, last: earlier);
        State.Redo();

        Assert.Equal(House(1), State.Recipe);
    }

    [Fact]
    public async Task Open_WithARunningJob_ResumesIt()
    {
        var job = Guid.NewGuid();

        await OpenAsync(Nothing with { Job = job.ToString() });

        Assert.Equal(job, Queue.Jobs.Single().Id);
    }

    [Fact]
    public async Task Open_AllCanvasesWatched_RetriesOnceThereIsRoom()
    {
        Settings.Most = 1;
        var other = Canvases.Create("bob", House(0));
        other.Updated += Ignore;
        var opened = State.OpenAsync("ann", Nothing, null, null, TestContext.Current.CancellationToken);
        Assert.Equal((1, true), (Redraws, State.Notice!.IsError));

        other.Updated -= Ignore;
        Clock.Advance(TimeSpan.FromMinutes(1));
        await opened.WaitAsync(Studio.Patience, TestContext.Current.CancellationToken);

        Assert.Equal((State.Canvas, null), (await opened, State.Notice));

        static void Ignore(CanvasUpdate update)
        {
        }
    }

    [Fact]
    public async Task Undo_ThenRedo_ReturnsToTheSameRecipe()
    {
        await OpenAsync(Nothing with { Draft = House(1).ToJson() });
        State.Generate("a boat", keepSeed: true);
        Assert.Equal(("a boat", House(1).Seed), (State.Recipe.Prompt, State.Recipe.Seed));

        State.Undo();
        Assert.Equal("a house", State.Recipe.Prompt);
        State.Redo();

        Assert.Equal("a boat", State.Recipe.Prompt);
    }

    [Fact]
    public async Task Change_BeyondTheLimits_ShowsAnErrorAndChangesNothing()
    {
        await OpenAsync(Nothing);
        var before = State.Recipe;

        State.Generate(new string('a', Settings.PromptLength + 1), keepSeed: true);

        Assert.True(State.Notice!.IsError);
        Assert.False(State.IsBusy);
        Assert.Equal(before, State.Recipe);
    }

    [Fact]
    public async Task Apply_Picture_ClearsTheQueueMessageAndListsFeatures()
    {
        await OpenAsync(Nothing);
        Assert.True(State.Apply(new CanvasUpdate.Rejected(1, "full", TimeSpan.FromSeconds(1))));
        Assert.True(State.Notice!.IsAboutQueue);

        Show(3, 7, 9, 9);

        Assert.Null(State.Notice);
        Assert.True(State.HasPicture);
        Assert.Equal([(9, 1.5), (7, .5), (3, .25)], State.Active.Select(active => (active.Card.Feature, active.Relative)));
    }

    [Fact]
    public async Task PointAt_Cell_ListsOnlyItsFeatures()
    {
        await OpenAsync(Nothing);
        Show(3, 7, 9, 9);

        State.PointAt(.9, .2);
        Assert.Equal((7, 2), (State.Active.Single().Card.Feature, State.Active.Single().Relative));
        Assert.True(State.IsCellActive);

        State.PointAway();
        Assert.Equal(3, State.Active.Count);
    }

    [Theory]
    [InlineData(false, null, true)]
    [InlineData(true, null, false)]
    [InlineData(true, 5.0, true)]
    [InlineData(false, .5, false)]
    public async Task Apply_Wait_IsShownUnlessShortOrDuringAStroke(bool isStroke, double? seconds, bool isShown)
    {
        await OpenAsync(Nothing);
        State.Apply(new CanvasUpdate.Changed(2, State.Recipe.Check(), isStroke, Guid.NewGuid()));
        TimeSpan? expected = seconds is { } wait ? TimeSpan.FromSeconds(wait) : null;

        var isDrawn = State.Apply(new CanvasUpdate.Status(2, new GenerationProgress.Waiting(Guid.NewGuid(), 2, expected)));

        Assert.Equal((isShown, isShown), (isDrawn, State.Notice is not null));
    }

    [Fact]
    public async Task AddToHistory_SameRecipeTwice_AddsItOnce()
    {
        await OpenAsync(Nothing);
        var first = State.Canvas!.Version;
        State.AddToHistory(first);
        State.AddToHistory(first);
        State.Generate("a boat", keepSeed: true);
        State.AddToHistory(first);
        State.AddToHistory(State.Canvas.Version);

        Assert.Equal([first, State.Canvas.Version], State.History.Select(entry => entry.Version));
        State.RestoreEntry(0);
        Assert.Equal((0, State.History[0].Recipe), (State.ShownEntry, State.Recipe));
    }

    [Fact]
    public async Task AddToHistory_Undone_ShowsTheEarlierEntryAgain()
    {
        await OpenAsync(Nothing);
        State.AddToHistory(State.Canvas!.Version);
        State.Generate("a boat", keepSeed: true);
        State.AddToHistory(State.Canvas.Version);

        State.Undo();

        Assert.True(State.AddToHistory(State.Canvas.Version));
        Assert.Equal((2, 0), (State.History.Count, State.ShownEntry));
    }

    [Fact]
    public async Task AddToHistory_PictureLikeTheShownOne_TakesItsPlace()
    {
        await OpenAsync(Nothing);
        State.AddToHistory(State.Canvas!.Version);
        State.AddLayer(Atlas.Find(Site.Composition, 3)!);

        Assert.True(State.AddToHistory(State.Canvas.Version, isLikeShown: true));
        Assert.Equal(State.Recipe, Assert.Single(State.History).Recipe);
        Assert.False(State.AddToHistory(State.Canvas.Version - 1));
    }

    [Fact]
    public async Task OpenPicture_WithoutARecipe_ChangesNothing()
    {
        await OpenAsync(Nothing with { Draft = House(1).ToJson() });

        State.OpenPicture(null);
        Assert.True(State.Notice!.IsError);
        Assert.Equal(House(1), State.Recipe);
        State.OpenPicture(House(2).ToJson());

        Assert.False(State.Notice.IsError);
        Assert.Equal(House(2), State.Recipe);
    }

    [Fact]
    public void ToggleView_Again_ReturnsToThePicture()
    {
        Assert.Equal(View.Difference, State.ToggleView(View.Difference));
        State.ShowLeak(.125);
        Assert.StartsWith("12.5 %", State.Leak);

        Assert.Equal(View.Picture, State.ToggleView(View.Difference));
        Assert.Equal("", State.Leak);
    }
}
