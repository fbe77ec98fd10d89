namespace SaeUnbox.Web.Components.Shared;

/// <summary>Makes layers of features.</summary>
internal static class NewLayer
{
    /// <summary>A strength that changes most pictures clearly without distorting them.</summary>
    public const double Strength = 8;

    // Removes the feature where the model used it.
    private const double Removal = -1;

    /// <summary>Makes a layer with an empty mask.</summary>
    public static FeatureEdit Blank(SaeInfo sae, int feature, Recipe recipe, double strength = Strength)
    {
        var (rows, columns) = sae.Grid(recipe.Width, recipe.Height);
        return new(sae.Site, feature, strength) { Mask = BrushMask.FromCells(rows, columns, new float[rows * columns]) };
    }

    /// <summary>The layer in another mode, with a strength that suits it: modes have different units.</summary>
    public static FeatureEdit In(EditMode mode, FeatureEdit edit) => mode == edit.Mode
        ? edit
        : edit.In(mode) with { Strength = mode.FindsCells ? 1 : mode == EditMode.Scale ? Removal : Strength };

    /// <summary>
    /// The recipe with a layer on top, which hides what lies below it. Recipes in which layers could overlap before keep their rule, and so
    /// their pixels.
    /// </summary>
    public static Recipe OnTop(Recipe recipe, FeatureEdit layer) => recipe with
    {
        Edits = [.. recipe.Edits, layer],
        Overlap = recipe.Edits.Count < 2 ? Overlap.Cover : recipe.Overlap,
    };
}
