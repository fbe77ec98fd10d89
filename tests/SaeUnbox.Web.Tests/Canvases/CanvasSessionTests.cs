using Microsoft.Extensions.Options;
using SaeUnbox.Web.Canvases;
using SaeUnbox.Web.Tests.Components;

namespace SaeUnbox.Web.Tests.Canvases;

public sealed class CanvasSessionTests : IDisposable
{
    private static readonly Recipe House = OneModel.Mini.NewRecipe("a house");
    private readonly HandQueue _queue = new();
    private readonly HandClock _clock = new();
    private readonly CanvasOptions _options = new() { Burst = 1000, RequestsPerSecond = 1000 };
    private readonly List<CanvasUpdate> _news = [];
    private ClientLimits? _limits;

    public void Dispose() => _limits?.Dispose();

    [Fact]
    public void Change_MasksOfAnotherGrid_AreRefusedAndNothingIsKept()
    {
        var canvas = Canvas();
        // A few bytes of text become 256 KiB of cells.
        var large = BrushMask.Parse(BrushMask.FromCells(256, 256, new float[1 << 16]).ToString());

        for (var i = 0; i < 100; i++)
        {
            var error = Assert.Throws<RecipeException>(() => canvas.Change(
                recipe => recipe with
                {
                    Edits = [.. Enumerable.Repeat(new FeatureEdit(Site.Composition, i, 5) { Mask = large }, 4)]
                }, isStroke: i % 2 == 0));
            Assert.Contains("32 x 32", error.Message);
        }

        Assert.Equal((House, 0, false), (canvas.Recipe, canvas.Version, canvas.CanUndo));
        Assert.Empty(_queue.Jobs);
    }

    [Theory]
    [InlineData(256, 100)]
    [InlineData(512, 62)]
    public void Change_ManyTimes_BoundsTheUndoHistory(int side, int kept)
    {
        var canvas = Canvas();
        var cells = side / 8;
        for (var i = 1; i <= 120; i++)
            canvas.Change(_ => House with
            {
                Seed = i,
                Width = side,
                Height = side,
                Edits = [new FeatureEdit(Site.Composition, 0, 5) { Mask = BrushMask.FromCells(cells, cells, new float[cells * cells]) }]
            });

        var undone = 0;
        for (; canvas.CanUndo; undone++)
            canvas.Undo();

        Assert.Equal((kept, 120 - kept), (undone, canvas.Recipe.Seed));
    }

    [Fact]
    public void Change_WhileThePointerMoves_CountsForItsCanvasOnly()
    {
        (_options.Burst, _options.RequestsPerSecond, _options.StrokeBurst, _options.StrokesPerSecond) = (2, 1, 5, 1);
        var (one, other) = (Canvas(), Canvas("other"));
        for (var i = 0; i < 5; i++)
            Paint(one, i, isStroke: true);
        var refused = Assert.Throws<TooManyRequestsException>(() => Paint(one, 5, isStroke: true));

        Assert.True(refused.RetryAfter > TimeSpan.Zero);
        Assert.Equal(4, one.Recipe.Seed);
        Paint(other, 1, isStroke: true);
        // The end of a stroke counts as a picture, and the client may request two.
        Paint(one, 6, isStroke: false);
        Paint(other, 6, isStroke: false);
        Assert.Throws<TooManyRequestsException>(() => Paint(other, 7, isStroke: false));
        Assert.Equal(6, other.Recipe.Seed);
    }

    [Fact]
    public void Change_OnTooManyCanvases_WaitsForOneToEnd()
    {
        _options.BusyPerClient = 2;
        var canvases = Enumerable.Range(0, 3).Select(i => Canvas($"{i}")).ToArray();
        Paint(canvases[0], 1, isStroke: true);
        Paint(canvases[0], 2, isStroke: true);
        Paint(canvases[1], 1, isStroke: false);

        Assert.Throws<TooManyRequestsException>(() => Paint(canvases[2], 1, isStroke: false));
        Assert.Equal(0, canvases[2].Version);
        _queue.Report(new GenerationProgress.Superseded(_queue.Jobs[0].Id));
        Assert.Throws<TooManyRequestsException>(() => Paint(canvases[2], 1, isStroke: true));
        _queue.Complete(_queue.Jobs[1]);
        Paint(canvases[2], 1, isStroke: false);
    }

    [Fact]
    public void Leave_LastPainter_CancelsEvenWhileAPageWatches()
    {
        var canvas = Canvas();
        canvas.AddViewer();
        canvas.AddViewer();
        canvas.Refresh();

        canvas.RemoveViewer();
        Assert.Empty(_queue.Cancelled);
        canvas.RemoveViewer();

        Assert.Equal([_queue.Jobs[0].Id], _queue.Cancelled);
        // The visitor did not cancel the job, so no status reports it.
        Assert.DoesNotContain(_news, update => update is CanvasUpdate.Status);
    }

    [Fact]
    public void Join_AfterAnAbandonedPicture_RequestsItAgain()
    {
        var canvas = Canvas();
        canvas.AddViewer();
        canvas.Refresh();
        canvas.RemoveViewer();

        canvas.AddViewer();
        _queue.Complete(_queue.Jobs[1]);

        Assert.Equal(2, Assert.Single(_news.OfType<CanvasUpdate.Frame>()).Version);
        canvas.RemoveViewer();
        canvas.AddViewer();
        Assert.Equal(2, _queue.Jobs.Count);
    }

    [Fact]
    public void Cancel_RetriedJob_EndsIt()
    {
        var canvas = Canvas();
        canvas.AddViewer();
        canvas.Resume(Guid.NewGuid());

        canvas.Cancel();

        Assert.Single(_queue.Jobs);
        Assert.IsType<GenerationProgress.Cancelled>(Assert.IsType<CanvasUpdate.Status>(_news[^1]).Progress);
    }

    [Fact]
    public void Change_QueueFull_RunsOnceThereIsRoom()
    {
        var canvas = Canvas();
        canvas.AddViewer();
        _queue.Refusal = new QueueFullException(TimeSpan.FromSeconds(5));
        Paint(canvas, 9, isStroke: false);
        Assert.Equal(TimeSpan.FromSeconds(5), Assert.IsType<CanvasUpdate.Rejected>(_news[^1]).RetryAfter);
        Assert.Empty(_queue.Jobs);

        _clock.Advance(TimeSpan.FromSeconds(6));

        Assert.Equal(9, Assert.Single(_queue.Jobs).Recipe.Seed);
    }

    [Fact]
    public void Cancel_QueueFull_DropsTheJob()
    {
        var canvas = Canvas();
        canvas.AddViewer();
        _queue.Refusal = new QueueFullException(TimeSpan.FromSeconds(5));
        canvas.Refresh();

        canvas.Cancel();
        _clock.Advance(TimeSpan.FromSeconds(6));

        Assert.Empty(_queue.Jobs);
        canvas.Refresh();
        Assert.Single(_queue.Jobs);
    }

    private CanvasSession Canvas(string id = "canvas")
    {
        _limits ??= new ClientLimits(Options.Create(_options));
        var canvas = new CanvasSession(id, "ann", House.Check(), _queue, new OneModel(), _limits, _clock);
        canvas.Updated += _news.Add;
        return canvas;
    }

    private static void Paint(CanvasSession canvas, int seed, bool isStroke) =>
        canvas.Change(recipe => recipe with { Seed = seed }, isStroke);
}
