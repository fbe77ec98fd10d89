using Microsoft.Extensions.Options;
using SaeUnbox.Web.Canvases;
using SaeUnbox.Web.Components.Pages.Paint;
using SaeUnbox.Web.Tests.Components;

namespace SaeUnbox.Web.Tests.Canvases;

/// <summary>The state of the Paint page on a canvas with a model of two sites, for tests of what its controls do.</summary>
public abstract class PaintStates : IDisposable
{
    private protected static readonly StoredState Nothing = new(null, null, null, null, null, -1, null);
    private protected static readonly Concept Roof = new("roof", "by hand",
    [
        new(Site.Composition, [new(7, .5, null), new(9, .1, null)])
        {
            Painting = new(EditMode.Add, 6, 2, .9),
            Removal = new(EditMode.ReplaceNearest, 1, 1, .8, Grow: 1),
        },
    ]);

    private protected static readonly ListAtlas Atlas = new(
        (Site.Composition, 3, "snow field"), (Site.Composition, 7, "red roof"), (Site.Composition, 9, "blue boat"))
    {
        Concepts = [Roof],
        OfNine = new("boat", 6, .9, null),
    };

    private readonly ClientLimits _limits;

    private protected PaintStates()
    {
        var catalogue = new OneModel { Atlas = Atlas };
        _limits = new ClientLimits(Options.Create(Settings));
        Canvases = new CanvasRegistry(Queue, catalogue, _limits, Options.Create(Settings), Clock);
        State = new PaintState(Canvases, catalogue, Clock, () => Redraws++);
    }

    private protected HandQueue Queue { get; } = new();

    private protected HandClock Clock { get; } = new();

    private protected CanvasOptions Settings { get; } = new() { Burst = 1000, RequestsPerSecond = 1000 };

    private protected CanvasRegistry Canvases { get; }

    private protected PaintState State { get; }

    private protected int Redraws { get; private set; }

    public void Dispose()
    {
        Canvases.Dispose();
        _limits.Dispose();
    }

    private protected static Recipe House(int layers) => OneModel.Mini.NewRecipe("a house") with
    {
        Edits = [.. Enumerable.Range(0, layers).Select(i => new FeatureEdit(Site.Composition, i, 5))],
    };

    private protected static Recipe WithOff(Recipe recipe, int layer) =>
        recipe with { Edits = [.. recipe.Edits.Select((edit, i) => edit with { Enabled = i != layer })] };

    private protected async Task OpenAsync(StoredState stored, string? layer = null, CanvasSession? last = null)
    {
        await State.OpenAsync("ann", stored, layer, last, TestContext.Current.CancellationToken);
        State.Canvas!.Updated += update => State.Apply(update);
        await State.ResumeAsync(stored, TestContext.Current.CancellationToken);
    }

    // The picture's map has 2 x 2 cells with one feature each, of strengths 1, 2, 3 and 3.
    private protected void Show(params int[] features)
    {
        var (job, values) = (Queue.Jobs[^1], new float[] { 1, 2, 3, 3 });
        var maps = new ActivationMaps([new SiteActivations(Site.Composition, 0, 2, 2, 512, features, values)]);
        Queue.Report(new GenerationProgress.Completed(new GenerationResult(job.Id, job.Recipe, new byte[] { 1 }, maps, [])));
    }
}
