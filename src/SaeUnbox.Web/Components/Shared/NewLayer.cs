namespace SaeUnbox.Web.Components.Shared;

/// <summary>A feature that becomes a layer.</summary>
internal static class NewLayer
{
    /// <summary>As a multiple of the feature's mean: plainly seen, and not yet more than the picture bears.</summary>
    public const double Strength = 10;

    /// <summary>A layer that nothing is painted with yet.</summary>
    public static FeatureEdit Blank(SaeInfo sae, int feature, Recipe recipe)
    {
        var (rows, columns) = sae.Grid(recipe.Width, recipe.Height);
        return new(sae.Site, feature, Strength) { Mask = BrushMask.FromCells(rows, columns, new float[rows * columns]) };
    }
}
