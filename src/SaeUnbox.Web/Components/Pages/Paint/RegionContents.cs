using SaeUnbox.Web.Api;

namespace SaeUnbox.Web.Components.Pages.Paint;

/// <summary>What is in a region of a picture and not elsewhere in it.</summary>
/// <param name="Concepts">The clearest first.</param>
/// <param name="Features">Of all sites, the clearest first.</param>
/// <param name="Whole">All that was found, as one concept; null if nothing was.</param>
public sealed record RegionContents(IReadOnlyList<Concept> Concepts, IReadOnlyList<RegionFeature> Features, Concept? Whole)
{
    private const int MostConcepts = 3, MostFeatures = 12, OfASite = 5, Together = 3;

    // A concept's features have at least this share of all activation in the region more than elsewhere.
    private const double LeastScore = .03;

    /// <summary>What a visitor means who brushes over a thing to remove it: the clearest concept, else the clearest feature.</summary>
    public Concept? ToRemove => Concepts is [var concept, ..] ? concept : Features is [var first, ..]
        ? new(first.Card.Name ?? $"feature {first.Card.Feature}", "a region of a picture",
            [new(first.Card.Site, [new(first.Card.Feature, first.Score, null)])])
        : null;

    public static RegionContents In(BrushMask region, ActivationMaps maps, IFeatureAtlas atlas)
    {
        if (region.IsNowhereEmpty)
            return new([], [], null);
        var sites = Selection.Of(maps, region, OfASite).Sites;
        var features =
            from site in sites
            from one in site.Features
            let card = atlas.Find(site.Site, one.Feature)
            where card is not null
            orderby one.Score descending
            select new RegionFeature(card, one.Score);
        var together = sites.Select(site => site with { Features = [.. site.Features.Take(Together)] }).ToArray();
        return new([.. ConceptsIn(ConceptTally.OfRegion(maps, region), atlas)], [.. features.Take(MostFeatures)],
            together.Length > 0 ? new Concept("selection", "a region of a picture", together) : null);
    }

    // A stroke over a thing covers much of what is behind it, so what is mostly in the region counts more than what is everywhere.
    private static IEnumerable<Concept> ConceptsIn(IReadOnlyDictionary<Site, ConceptTally> tallies, IFeatureAtlas atlas) =>
        (from concept in atlas.Concepts
         let known =
            (from site in concept.Sites
             where tallies.ContainsKey(site.Site)
             let features = site.Features.Select(one => one.Feature).ToArray()
             select (Tally: tallies[site.Site], Features: features)).ToArray()
         where known.Length > 0
         let score = known.Average(one => one.Features.Sum(one.Tally.Score))
         where score >= LeastScore
         orderby score * Math.Pow(known.Average(one => one.Tally.Concentration(one.Features)), 2) descending
         select concept).Take(MostConcepts);
}

/// <param name="Score">Its share of all activation in the region, less its share elsewhere.</param>
public sealed record RegionFeature(FeatureCard Card, double Score);
