namespace SaeUnbox.Web.Components.Shared;

/// <summary>Makes layers of features.</summary>
internal static class NewLayer
{
    /// <summary>A strength that changes most pictures clearly without distorting them.</summary>
    public const double Strength = 10;

    /// <summary>Makes a layer with an empty mask.</summary>
    public static FeatureEdit Blank(SaeInfo sae, int feature, Recipe recipe)
    {
        var (rows, columns) = sae.Grid(recipe.Width, recipe.Height);
        return new(sae.Site, feature, Strength) { Mask = BrushMask.FromCells(rows, columns, new float[rows * columns]) };
    }
}
