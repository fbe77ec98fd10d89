namespace SaeUnbox.Core;

/// <summary>The activations that one run gave, of every site and step that was asked for.</summary>
public sealed class ActivationMaps(IEnumerable<SiteActivations> sites)
{
    private readonly SiteActivations[] _sites = [.. sites.OrderBy(site => site.Site).ThenBy(site => site.Step)];

    public static ActivationMaps Empty { get; } = new([]);

    /// <summary>All maps, in the order of the walk, then of the steps.</summary>
    public IReadOnlyList<SiteActivations> All => _sites;

    /// <summary>The sites that were read, in the order of the walk.</summary>
    public IReadOnlyList<HookSite> Sites => [.. _sites.Select(map => map.Site).Distinct()];

    /// <summary>The map of a site at a step; null where it was not asked for.</summary>
    public SiteActivations? Find(HookSite site, int step = 0) => Array.Find(_sites, map => map.Site == site && map.Step == step);
}
