using MessagePack;
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

/// <summary>
/// Sends the message of an expected error to whoever called a hub's method, and counts it against the client. SignalR's own log line of
/// such errors is off, because a script could write thousands a second.
/// </summary>
internal sealed partial class HubErrors(ClientLimits limits, ILogger<HubErrors> logger) : IHubFilter
{
    public async ValueTask<object?> InvokeMethodAsync(HubInvocationContext invocationContext,
        Func<HubInvocationContext, ValueTask<object?>> next)
    {
        try
        {
            return await next(invocationContext);
        }
        catch (Exception exception) when (exception is HubException or RecipeException or TooManyRequestsException or QueueFullException)
        {
            Log.Refused(logger, invocationContext.HubMethodName, exception.Message);
            if (!limits.CountRefusal(ClientKey.Of(invocationContext.Context.GetHttpContext())))
                invocationContext.Context.Abort();
            // SignalR sends only the messages of HubExceptions to clients.
            throw exception as HubException ?? new HubException(exception.Message, exception);
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            Log.Failed(logger, exception, invocationContext.HubMethodName);
            throw;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Debug, "{Method} was refused: {Reason}")]
        public static partial void Refused(ILogger logger, string method, string reason);

        [LoggerMessage(2, LogLevel.Error, "{Method} failed")]
        public static partial void Failed(ILogger logger, Exception exception, string method);
    }
}

/// <summary>The methods that the hub calls on its clients; see docs/hub.md.</summary>
public interface IPaintClient
{
    /// <summary>A picture, newer than all before it.</summary>
    Task Frame(FrameMessage frame);

    /// <summary>The recipe changed, by this or another client.</summary>
    Task Changed(ChangedMessage change);

    /// <summary>The progress of the newest version's job.</summary>
    Task Status(StatusMessage status);

    /// <summary>A version's picture could not be made.</summary>
    Task Rejected(RejectedMessage rejection);
}

/// <param name="Version">Version of the recipe that the picture shows.</param>
/// <param name="MediaType">Such as image/jpeg.</param>
/// <param name="Picture">The encoded picture.</param>
/// <param name="Stages">The stages of making the picture.</param>
/// <param name="Milliseconds">Duration of each stage.</param>
[MessagePackObject(keyAsPropertyName: true)]
public sealed record FrameMessage(long Version, string MediaType, byte[] Picture, string[] Stages, double[] Milliseconds);

/// <param name="Version">Version of the recipe.</param>
/// <param name="Recipe">The recipe as canonical JSON.</param>
/// <param name="IsStroke">Whether the brush is still moving.</param>
/// <param name="Job">
/// The job that makes the picture. Any node can return its result for this recipe; see <see cref="PaintHub.Resume"/>.
/// </param>
[MessagePackObject(keyAsPropertyName: true)]
public sealed record ChangedMessage(long Version, string Recipe, bool IsStroke, string Job);

/// <param name="Version">Version of the recipe.</param>
/// <param name="State">"waiting", "running" or "cancelled".</param>
/// <param name="Position">Number of jobs ahead, while waiting.</param>
/// <param name="ExpectedMilliseconds">Expected wait; null if it cannot be estimated.</param>
/// <param name="Step">Number of finished denoising steps, while running.</param>
/// <param name="Steps">Number of all denoising steps.</param>
[MessagePackObject(keyAsPropertyName: true)]
public sealed record StatusMessage(long Version, string State, int Position, double? ExpectedMilliseconds, int Step, int Steps);

/// <param name="Version">Version of the recipe.</param>
/// <param name="Message">One sentence for the person who paints.</param>
/// <param name="RetryAfterSeconds">
/// When the canvas tries again, unless a newer version replaces this one; null if a retry cannot help.
/// </param>
[MessagePackObject(keyAsPropertyName: true)]
public sealed record RejectedMessage(long Version, string Message, double? RetryAfterSeconds);

/// <param name="Version">The recipe's version after the call.</param>
/// <param name="RetryAfterSeconds">
/// If a limit was exceeded, when to send the change again; nothing was changed. Null if the change was made.
/// </param>
[MessagePackObject(keyAsPropertyName: true)]
public sealed record ChangeAnswer(long Version, double? RetryAfterSeconds);

/// <param name="Canvas">The canvas's id, needed to open it again. It is a secret: anyone who knows it can paint on the canvas.</param>
/// <param name="Version">Version of the recipe.</param>
/// <param name="Recipe">The recipe as canonical JSON.</param>
[MessagePackObject(keyAsPropertyName: true)]
public sealed record CanvasState(string Canvas, long Version, string Recipe);
