namespace SaeUnbox.Web.Components.Shared;

/// <summary>Makes layers of features.</summary>
internal static class NewLayer
{
    /// <summary>A strength that changes most pictures clearly without distorting them.</summary>
    public const double Strength = 8;

    // Removes the feature where the model used it.
    private const double Removal = -1;

    /// <summary>A layer with an empty mask that puts a concept in; null if the model lacks its site.</summary>
    public static FeatureEdit? Of(Concept concept, ModelInfo model, Recipe recipe) =>
        concept.ToPaint(Strength) is var edit && model.Find(edit.Site) is { } sae
            ? edit with { Mask = Empty(sae.Grid(recipe.Width, recipe.Height)), Name = concept.Name }
            : null;

    /// <summary>A layer that takes a concept out of a region; null if the model lacks its site.</summary>
    public static FeatureEdit? Without(Concept concept, BrushMask region, ModelInfo model, Recipe recipe)
    {
        var edit = concept.ToRemove();
        if (model.Find(edit.Site) is not { } sae)
            return null;
        var (rows, columns) = sae.Grid(recipe.Width, recipe.Height);
        return edit with { Mask = region.Scaled(rows, columns), Name = $"without {concept.Name}" };
    }

    /// <summary>Makes a layer with an empty mask.</summary>
    /// <param name="strength">Null for the feature's good one.</param>
    public static FeatureEdit Blank(SaeInfo sae, int feature, Recipe recipe, IFeatureAtlas? atlas, double? strength = null) =>
        new(sae.Site, feature, strength ?? atlas?.Find(sae.Site, feature)?.Effect?.Strength ?? Strength)
        {
            Mask = Empty(sae.Grid(recipe.Width, recipe.Height)),
        };

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

    private static BrushMask Empty((int Rows, int Columns) grid) =>
        BrushMask.FromCells(grid.Rows, grid.Columns, new float[grid.Rows * grid.Columns]);
}

/// <summary>The range of a layer's slider, in the units of its mode. The field beside it takes every strength.</summary>
/// <param name="Min">The slider's left end.</param>
/// <param name="Max">The slider's right end.</param>
/// <param name="Step">The slider's step.</param>
/// <param name="Best">The strength that was measured to work best with these features; null if none was.</param>
public sealed record StrengthScale(double Min, double Max, double Step, double? Best)
{
    private const double Widest = 20;

    public static StrengthScale Of(FeatureEdit edit, IFeatureAtlas? atlas)
    {
        var best = Measured(edit, atlas);
        var scale = edit.Mode switch
        {
            { FindsCells: true } => new StrengthScale(0, 1, .05, best),
            { NeedsMean: true } when best is { } known => new(Math.Min(-2 * known, 3 * known), Math.Max(-2 * known, 3 * known), .5, best),
            { NeedsMean: true } => new(-Widest, Widest, .5, best),
            _ => new(-2, 4, .1, best),
        };
        return scale with { Min = Math.Min(scale.Min, edit.Strength), Max = Math.Max(scale.Max, edit.Strength) };
    }

    // Of a concept with just these features, else of the feature alone.
    private static double? Measured(FeatureEdit edit, IFeatureAtlas? atlas) =>
        (from concept in atlas?.Concepts ?? []
         from site in concept.Sites
         where site.Site == edit.Site
         from effect in new[] { site.Painting, site.Removal }
         where effect is not null && effect.Mode == edit.Mode && site.Edit(effect).Features.SequenceEqual(edit.Features)
         select (double?)effect.Strength).FirstOrDefault()
        ?? (edit.Mode == EditMode.Add && edit.Also.Count == 0 ? atlas?.Find(edit.Site, edit.Feature)?.Effect?.Strength : null);
}
