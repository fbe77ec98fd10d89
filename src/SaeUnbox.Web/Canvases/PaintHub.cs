using Microsoft.AspNetCore.SignalR;

namespace SaeUnbox.Web.Canvases;

/// <summary>
/// Receives strokes while the pointer moves and streams pictures back, for the page's brush and for scripts; see docs/hub.md.
/// </summary>
internal sealed class PaintHub(CanvasRegistry canvases, IModelCatalogue catalogue, IServingState serving, CanvasRelay relay)
    : Hub<IPaintClient>
{
    public const string Address = "/hubs/paint";

    /// <summary>Version of the methods and messages. A connection may state the version it needs, as in ?version=2.</summary>
    public const int Version = 2;
    private const string Key = "canvas";

    /// <summary>
    /// Opens a canvas by its id. If there is none, creates one from the recipe or, without a recipe, from the default model's settings.
    /// Waits until models are loaded, since a page may reconnect while the program starts.
    /// </summary>
    public async Task<CanvasState> Open(string? canvas, string? recipe)
    {
        await serving.Loaded.WaitAsync(Context.ConnectionAborted);
        var session = canvas is { Length: > 0 } ? canvases.Find(canvas) : null;
        session ??= canvases.Create(ClientKey.Of(Context.GetHttpContext()), Read(recipe));
        Leave();
        Context.Items[Key] = relay.Watch(session, Context.ConnectionId);
        return new(session.Id, session.Version, session.Checked.ToJson());
    }

    /// <summary>Replaces the open canvas's recipe and returns the new version. The picture follows.</summary>
    public ChangeAnswer SetRecipe(string recipe) => Change(session => session.Change(_ => Read(recipe)));

    /// <summary>Replaces the mask of one edit, as a stroke does.</summary>
    /// <param name="edit">Index of the edit.</param>
    /// <param name="mask">The whole mask in the text form of docs/recipe.md, or "" for the whole picture.</param>
    /// <param name="isLast">Whether the stroke has ended. Undo returns only to the ends of strokes.</param>
    public ChangeAnswer Paint(int edit, string mask, bool isLast) => Change(session =>
        session.Paint(edit, mask.Length == 0 ? null : BrushMask.Parse(mask), isLast, Context.ConnectionId));

    /// <summary>Makes the picture of the current recipe.</summary>
    public void Refresh() => Session.Refresh();

    /// <summary>
    /// Requests the picture of the current recipe from a job that <see cref="IPaintClient.Changed"/> named. After a lost connection, any
    /// node can return the job's result, so the picture need not be made twice.
    /// </summary>
    public void Resume(string job) =>
        Session.Resume(Guid.TryParse(job, out var id) ? id : throw new HubException("The id of the job is not a GUID."));

    /// <summary>Cancels the open canvas's waiting and running jobs.</summary>
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

    private ChangeAnswer Change(Func<CanvasSession, long> change)
    {
        var session = Session;
        try
        {
            return new ChangeAnswer(change(session), null);
        }
        catch (TooManyRequestsException exception)
        {
            return new ChangeAnswer(session.Version, exception.RetryAfter.TotalSeconds);
        }
    }
}
