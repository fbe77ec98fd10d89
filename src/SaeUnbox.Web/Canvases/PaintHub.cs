using Microsoft.AspNetCore.SignalR;

namespace SaeUnbox.Web.Canvases;

/// <summary>The door for brushes and scripts: strokes go in while the pointer moves, pictures come out. See docs/hub.md.</summary>
internal sealed class PaintHub(CanvasRegistry canvases, IModelCatalogue catalogue, IServingState serving, CanvasRelay relay) : Hub<IPaintClient>
{
    public const string Address = "/hubs/paint";

    /// <summary>Of what is called and sent here; a connection may name the one it speaks: ?version=2.</summary>
    public const int Version = 2;
    private const string Key = "canvas";

    /// <summary>
    /// Opens a canvas: one that is there, or a new one of a recipe, or of the default model's own settings. Waits until models are loaded:
    /// a page comes back while the program starts.
    /// </summary>
    public async Task<CanvasState> Open(string? canvas, string? recipe)
    {
        await serving.Loaded.WaitAsync(Context.ConnectionAborted);
        var session = canvas is { Length: > 0 } ? canvases.Find(canvas) : null;
        session ??= Guarded(() => canvases.Create(ClientKey.Of(Context.GetHttpContext()), Read(recipe)));
        Leave();
        Context.Items[Key] = relay.Watch(session, Context.ConnectionId);
        return new(session.Id, session.Version, session.Recipe.ToJson());
    }

    /// <summary>Another recipe for the open canvas; returns its version, whose picture follows.</summary>
    public ChangeAnswer SetRecipe(string recipe) => Change(_ => Read(recipe));

    /// <summary>A stroke: the whole mask of one edit, in the text form of docs/recipe.md, or "" for everywhere.</summary>
    /// <param name="edit">Index of the edit.</param>
    /// <param name="mask">The mask's text.</param>
    /// <param name="isLast">The pointer is up: the stroke is one to come back to.</param>
    public ChangeAnswer Paint(int edit, string mask, bool isLast) => Change(recipe =>
    {
        BrushMask? painted = mask.Length == 0 ? null : BrushMask.Parse(mask);
        return edit >= 0 && edit < recipe.Edits.Count
            ? recipe with { Edits = [.. recipe.Edits.Select((one, i) => i == edit ? one with { Mask = painted } : one)] }
            : throw new RecipeException("edit", $"is {edit}, but the recipe has {recipe.Edits.Count} edits");
    }, !isLast);

    /// <summary>Makes the picture of the recipe as it is.</summary>
    public void Refresh() => Guarded(() =>
    {
        Session.Refresh();
        return 0;
    });

    /// <summary>
    /// As <see cref="Refresh"/>, by a job of which a node told before: after a lost connection its result comes from any node, and is not made
    /// twice where it can be helped.
    /// </summary>
    public void Resume(string job) => Guarded(() =>
    {
        if (!Guid.TryParse(job, out var id))
            throw new HubException("This is no job's id.");
        Session.Resume(id);
        return 0;
    });

    /// <summary>Cancels what waits and runs for the open canvas.</summary>
    public void Cancel() => Session.Cancel();

    public override Task OnDisconnectedAsync(Exception? exception)
    {
        Leave();
        return base.OnDisconnectedAsync(exception);
    }

    private CanvasSession Session => Context.Items.TryGetValue(Key, out var watch) && watch is CanvasRelay.Watcher { Session: var session }
        ? session
        : throw new HubException("No canvas is open on this connection; call Open first.");

    private void Leave()
    {
        if (Context.Items.Remove(Key, out var watch) && watch is CanvasRelay.Watcher watcher)
            watcher.Dispose();
    }

    private Recipe Read(string? json)
    {
        var model = catalogue.Models.FirstOrDefault() ?? throw new HubException(serving.Failure ?? "No model is loaded.");
        return json is { Length: > 0 } ? Recipe.FromJson(json, model.NewRecipe()) : model.NewRecipe();
    }

    private ChangeAnswer Change(Func<Recipe, Recipe> change, bool isStroke = false) => Guarded(() =>
    {
        var session = Session;
        try
        {
            return new ChangeAnswer(session.Change(change, isStroke), null);
        }
        catch (TooManyRequestsException exception)
        {
            return new ChangeAnswer(session.Version, exception.RetryAfter.TotalSeconds);
        }
    });

    private static T Guarded<T>(Func<T> work)
    {
        try
        {
            return work();
        }
        catch (Exception exception) when (exception is RecipeException or TooManyRequestsException or QueueFullException)
        {
            throw new HubException(exception.Message);
        }
    }
}
