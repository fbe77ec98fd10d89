namespace SaeUnbox.Core;

/// <summary>
/// A feature painted at one site, or several that act as one. Its <see cref="Mode"/> gives the formula in the strength s, the mask m,
/// and the feature's direction d, mean activation mean and current activation z.
/// </summary>
/// <param name="Feature">Index in the site's dictionary, from 0.</param>
/// <param name="Strength">From <see cref="RecipeLimits.MinStrength"/> to <see cref="RecipeLimits.MaxStrength"/>.</param>
public sealed record FeatureEdit(Site Site, int Feature, double Strength)
{
    /// <summary>Further features of the same dictionary that act together with <see cref="Feature"/>, as those of a concept do.</summary>
    public ValueList<int> Also { get; init; } = [];

    /// <summary>All features of the edit, <see cref="Feature"/> first.</summary>
    public IEnumerable<int> Features => Also.Prepend(Feature);

    /// <summary>A factor of the strength for each of <see cref="Features"/>, in their order, from -1 to 1; empty if all are 1.</summary>
    public ValueList<double> Weights { get; init; } = [];

    /// <summary>All features of the edit with their weights.</summary>
    public IEnumerable<WeightedFeature> Weighted =>
        Features.Select((feature, i) => new WeightedFeature(feature, Weights.Count > 0 ? Weights[i] : 1));

    public EditMode Mode { get; init; } = EditMode.Default;

    /// <summary>Where the edit acts, one value per cell of the site's grid; null for everywhere.</summary>
    public BrushMask? Mask { get; init; }

    /// <summary>
    /// Cells with a higher activation are found. Only for modes that find cells (<see cref="EditMode.FindsCells"/>).
    /// </summary>
    public double Threshold { get; init; }

    /// <summary>How many cells the found area grows on every side. Only for modes that find cells.</summary>
    public int Grow { get; init; }

    /// <summary>The first denoising step at which the edit acts, from 0.</summary>
    public int FirstStep { get; init; }

    /// <summary>The step before which the edit stops (exclusive); null for the end of the run.</summary>
    public int? LastStep { get; init; }

    /// <summary>False if the layer is kept but switched off.</summary>
    public bool Enabled { get; init; } = true;

    /// <summary>What its painter calls the layer; null for the feature's own name.</summary>
    public string? Name { get; init; }

    /// <summary>This edit in another mode. What that mode does not have goes back to its default.</summary>
    public FeatureEdit In(EditMode mode) =>
        mode.FindsCells ? this with { Mode = mode, Weights = [] } : this with { Mode = mode, Threshold = 0, Grow = 0 };

    public bool ActsAt(int step) => Enabled && step >= FirstStep && (LastStep is not { } last || step < last);
}

/// <summary>A feature of an edit with several.</summary>
/// <param name="Weight">A factor of the edit's strength.</param>
public readonly record struct WeightedFeature(int Feature, double Weight);

/// <summary>Replaces the whole output of a site's block at every step. Edits at the same site act on the result.</summary>
public abstract record SiteIntervention
{
    private SiteIntervention(Site site) => Site = site;

    public Site Site { get; }

    /// <summary>The output becomes the input plus what the autoencoder reconstructs of the block's contribution.</summary>
    public sealed record Reconstruct(Site Site) : SiteIntervention(Site);

    /// <summary>The output becomes the input: the block contributes nothing.</summary>
    public sealed record Ablate(Site Site) : SiteIntervention(Site);

    /// <summary>
    /// The output becomes the input plus mean · k · d in every cell, where d is the feature's direction, mean its mean activation
    /// and k the autoencoder's sparsity. With an empty prompt this draws the feature's icon.
    /// </summary>
    public sealed record Icon(Site Site, int Feature) : SiteIntervention(Site);
}

/// <summary>What happens in the cells that several edits of one site cover, if their mode puts a feature in.</summary>
public enum Overlap
{
    /// <summary>The edits add up.</summary>
    Sum,

    /// <summary>The later edit hides the earlier ones, as far as its mask says: 1 hides them completely.</summary>
    Cover,
}

/// <summary>Applies <see cref="Overlap.Cover"/>.</summary>
public static class LayerCover
{
    /// <summary>Returns the edits with what later ones leave of their masks, without those that are hidden completely.</summary>
    /// <param name="edits">The edits of one site that act at one step, in their order. Their masks have one size.</param>
    public static IReadOnlyList<FeatureEdit> Visible(IReadOnlyList<FeatureEdit> edits)
    {
        List<FeatureEdit> visible = [];
        BrushMask? free = null; // what is left of each cell; null for everything
        var isHidden = false;
        foreach (var edit in edits.Reverse())
        {
            if (!edit.Mode.Covers)
                visible.Add(edit);
            if (!edit.Mode.Covers || isHidden)
                continue;
            var left = Product(edit.Mask, free);
            if (free is null || left?.IsBlank == false)
                visible.Add(edit with { Mask = left });
            isHidden = edit.Mask is null;
            if (edit.Mask is { IsBlank: false } mask)
                free = Product(mask.Inverse(), free);
        }
        visible.Reverse();
        return visible;
    }

    private static BrushMask? Product(BrushMask? one, BrushMask? other)
    {
        if (one is null || other is null)
            return one ?? other;
        var cells = one.Cells.ToArray();
        for (var i = 0; i < cells.Length; i++)
            cells[i] *= other.Cells[i];
        return BrushMask.FromCells(one.Rows, one.Columns, cells);
    }

    private static BrushMask Inverse(this BrushMask mask)
    {
        var cells = mask.Cells.ToArray();
        for (var i = 0; i < cells.Length; i++)
            cells[i] = 1 - cells[i];
        return BrushMask.FromCells(mask.Rows, mask.Columns, cells);
    }
}
