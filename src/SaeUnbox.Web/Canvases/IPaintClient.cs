using MessagePack;

namespace SaeUnbox.Web.Canvases;

/// <summary>What the hub calls on those who look at a canvas; see docs/hub.md.</summary>
public interface IPaintClient
{
    /// <summary>A picture newer than every one before it.</summary>
    Task Frame(FrameMessage frame);

    /// <summary>The recipe is another one now, whoever changed it.</summary>
    Task Changed(ChangedMessage change);

    /// <summary>How far the newest version is.</summary>
    Task Status(StatusMessage status);

    /// <summary>A version could not be made.</summary>
    Task Rejected(RejectedMessage rejection);
}

/// <param name="Version">Of the recipe it shows.</param>
/// <param name="MediaType">Such as image/jpeg.</param>
/// <param name="Picture">The encoded picture.</param>
/// <param name="Stages">Names of the stages it took.</param>
/// <param name="Milliseconds">How long each took.</param>
[MessagePackObject(keyAsPropertyName: true)]
public sealed record FrameMessage(long Version, string MediaType, byte[] Picture, string[] Stages, double[] Milliseconds);

/// <param name="Version">Of the recipe.</param>
/// <param name="Recipe">Its canonical JSON.</param>
/// <param name="IsStroke">A change on its way, as while a brush moves.</param>
/// <param name="Job">The job that makes its picture: with it and the recipe the picture can be had of any node, see <see cref="PaintHub.Resume"/>.</param>
[MessagePackObject(keyAsPropertyName: true)]
public sealed record ChangedMessage(long Version, string Recipe, bool IsStroke, string Job);

/// <param name="State">"waiting", "running" or "cancelled".</param>
/// <param name="Position">Jobs ahead, while it waits.</param>
/// <param name="ExpectedMilliseconds">Expected wait; null where there is nothing to go by.</param>
/// <param name="Step">Denoising steps done, while it runs.</param>
/// <param name="Steps">Denoising steps in all.</param>
[MessagePackObject(keyAsPropertyName: true)]
public sealed record StatusMessage(long Version, string State, int Position, double? ExpectedMilliseconds, int Step, int Steps);

/// <param name="Message">One sentence for the person who painted.</param>
/// <param name="RetryAfterSeconds">When the canvas tries again on its own, unless something newer comes; null where that would not help.</param>
[MessagePackObject(keyAsPropertyName: true)]
public sealed record RejectedMessage(long Version, string Message, double? RetryAfterSeconds);

/// <param name="Version">Of the recipe as it is now.</param>
/// <param name="RetryAfterSeconds">Where it was too much for now: nothing was changed, and then it can be sent again. Null where it was taken.</param>
[MessagePackObject(keyAsPropertyName: true)]
public sealed record ChangeAnswer(long Version, double? RetryAfterSeconds);

/// <param name="Canvas">Its id: keep it to come back to the canvas, and keep it to yourself.</param>
/// <param name="Version">Of the recipe.</param>
/// <param name="Recipe">Its canonical JSON.</param>
[MessagePackObject(keyAsPropertyName: true)]
public sealed record CanvasState(string Canvas, long Version, string Recipe);
