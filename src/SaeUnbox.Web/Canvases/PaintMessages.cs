using MessagePack;

namespace SaeUnbox.Web.Canvases;

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
