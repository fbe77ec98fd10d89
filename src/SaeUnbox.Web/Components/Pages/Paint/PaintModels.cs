namespace SaeUnbox.Web.Components.Pages.Paint;

public enum Fill { All, None, Invert }

/// <summary>A feature that is active in the picture.</summary>
/// <param name="Value">Its activation.</param>
/// <param name="Relative">The same as a multiple of its mean where it is active.</param>
public sealed record ActiveHere(FeatureCard Card, double Value, double Relative);

/// <summary>A recipe that was on the canvas, with a small picture of it.</summary>
public sealed record HistoryEntry(Recipe Recipe, string Thumbnail);
