namespace SaeUnbox.Web.Components.Shared;

/// <summary>What the pointer does on the picture. The last two mark a region instead of painting the selected layer.</summary>
public enum Tool { Brush, Eraser, Lasso, Move, Select, Remove }

/// <param name="Tool">What the brush does.</param>
/// <param name="Size">Diameter in pixels of the picture.</param>
/// <param name="Hardness">From 0, soft from the centre, to 1, sharp at the edge.</param>
public sealed record BrushState(Tool Tool = Tool.Brush, int Size = 64, double Hardness = .8)
{
    public const int MinSize = 8, MaxSize = 256;
}
