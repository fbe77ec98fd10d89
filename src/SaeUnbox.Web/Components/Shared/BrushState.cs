namespace SaeUnbox.Web.Components.Shared;

public enum Tool { Brush, Eraser }

/// <param name="Size">Diameter in pixels of the picture.</param>
/// <param name="Hardness">0, soft from the middle on, to 1, the same up to the edge.</param>
public sealed record BrushState(Tool Tool = Tool.Brush, int Size = 64, double Hardness = .8)
{
    public const int Least = 8, Most = 256;
}
