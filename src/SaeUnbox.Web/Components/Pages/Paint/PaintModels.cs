using SaeUnbox.Contracts;

namespace SaeUnbox.Web.Components.Pages.Paint;

public enum Tool { Brush, Eraser }

public enum Fill { All, None, Invert }

/// <param name="Size">Diameter in pixels of the picture.</param>
/// <param name="Hardness">0, soft from the middle on, to 1, the same up to the edge.</param>
public sealed record BrushState(Tool Tool = Tool.Brush, int Size = 64, double Hardness = .8)
{
    public const int Least = 8, Most = 256;
}

/// <summary>A feature that is active in the picture.</summary>
/// <param name="Value">Its activation.</param>
/// <param name="Relative">The same as a multiple of its mean where it is active.</param>
public sealed record ActiveHere(FeatureCard Card, double Value, double Relative);

/// <summary>A recipe that was on the canvas, with a small picture of it.</summary>
public sealed record HistoryEntry(Recipe Recipe, string Thumbnail);
