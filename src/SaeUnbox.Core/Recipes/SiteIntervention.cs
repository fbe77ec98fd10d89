namespace SaeUnbox.Core;

/// <summary>Replaces the whole output of a site's block, at every step; edits at the same site then act on what it gave.</summary>
public abstract record SiteIntervention
{
    private SiteIntervention(HookSite site) => Site = site;

    public HookSite Site { get; }

    /// <summary>The output becomes the input plus what the autoencoder reconstructs of the block's contribution.</summary>
    public sealed record Reconstruct(HookSite Site) : SiteIntervention(Site);

    /// <summary>The output becomes the input: the block contributes nothing.</summary>
    public sealed record Ablate(HookSite Site) : SiteIntervention(Site);

    /// <summary>
    /// The output becomes the input plus mean · k · d of one feature in every cell (d: its direction, mean: its mean
    /// activation, k: the autoencoder's sparsity). With an empty prompt this draws the feature's icon.
    /// </summary>
    public sealed record Icon(HookSite Site, int Feature) : SiteIntervention(Site);
}
