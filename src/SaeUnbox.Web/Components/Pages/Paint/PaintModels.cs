namespace SaeUnbox.Web.Components.Pages.Paint;

public enum Fill { All, None, Invert }

internal enum View { Picture, Slider, Difference }

/// <summary>A feature that is active in the picture.</summary>
/// <param name="Card">The feature.</param>
/// <param name="Relative">Its activation as a multiple of its mean where it is active.</param>
public sealed record ActiveCard(FeatureCard Card, double Relative);

/// <summary>A message to the visitor. One about the queue disappears with the next picture.</summary>
internal sealed record Notice(string Text, bool IsError, bool IsAboutQueue = false);

/// <summary>What the browser stored of an earlier visit, and the link in the address.</summary>
/// <param name="Canvas">The tab's last canvas, whose undo steps continue.</param>
/// <param name="Link">A recipe in the address.</param>
/// <param name="Draft">The last recipe as JSON.</param>
/// <param name="Job">The job that made or makes the draft's picture.</param>
/// <param name="Solo">The layer that is shown alone, as written by ToJson of Solo.</param>
/// <param name="PendingEdit">The edit of the last stroke, if the draft may not contain the stroke; -1 for none.</param>
/// <param name="PendingMask">The mask of that stroke.</param>
/// <param name="IsFirst">Whether this browser has not been here before.</param>
internal sealed record StoredState(
    string? Canvas, string? Link, string? Draft, string? Job, string? Solo, int PendingEdit, string? PendingMask,
    bool IsFirst = false)
{
    /// <summary>Whether the recipe has the layer of the stored stroke.</summary>
    public bool HasStrokeOf(Recipe recipe) => PendingMask is not null && PendingEdit < recipe.Edits.Count;
}
