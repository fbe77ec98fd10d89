namespace SaeUnbox.Core;

/// <summary>
/// One feature painted at one site. Its <see cref="Mode"/> gives the formula in the strength s, the mask m, and the feature's
/// direction d, mean activation mean and current activation z.
/// </summary>
/// <param name="Feature">Index in the site's dictionary, from 0.</param>
/// <param name="Strength">From <see cref="RecipeLimits.MinStrength"/> to <see cref="RecipeLimits.MaxStrength"/>.</param>
public sealed record FeatureEdit(Site Site, int Feature, double Strength)
{
    public EditMode Mode { get; init; } = EditMode.Default;

    /// <summary>Where the edit acts, one value per cell of the site's grid; null for everywhere.</summary>
    public BrushMask? Mask { get; init; }

    /// <summary>The first denoising step at which the edit acts, from 0.</summary>
    public int FirstStep { get; init; }

    /// <summary>The step before which the edit stops (exclusive); null for the end of the run.</summary>
    public int? LastStep { get; init; }

    /// <summary>False if the layer is kept but switched off.</summary>
    public bool Enabled { get; init; } = true;

    /// <summary>What its painter calls the layer; null for the feature's own name.</summary>
    public string? Name { get; init; }

    public bool ActsAt(int step) => Enabled && step >= FirstStep && (LastStep is not { } last || step < last);
}

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
