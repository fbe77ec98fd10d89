using System.Text.Json;
using SaeUnbox.Web.Api;

namespace SaeUnbox.Web.Components.Pages.Paint;

public enum Fill { All, None, Invert }

internal enum View { Picture, Slider, Difference }

/// <summary>A feature that is active in the picture.</summary>
/// <param name="Card">The feature.</param>
/// <param name="Relative">Its activation as a multiple of its mean where it is active.</param>
public sealed record ActiveCard(FeatureCard Card, double Relative);

/// <summary>A message to the visitor. One about the queue disappears with the next picture.</summary>
internal sealed record Notice(string Text, bool IsError, bool IsAboutQueue = false);

/// <summary>The strongest features of a picture, or of the cells under a place in it.</summary>
internal sealed class ActiveFeatures
{
    private const int Most = 12;

    /// <summary>From the left and from the top, 0 to 1; null for the whole picture.</summary>
    public (double X, double Y)? Place { get; set; }

    /// <summary>Over all sites, the strongest relative to their means first.</summary>
    public IReadOnlyList<ActiveCard> Cards { get; private set; } = [];

    public void List(ActivationMaps maps, IFeatureAtlas atlas) =>
        Cards = [.. maps.All.SelectMany(map => In(map, atlas)).OrderByDescending(active => active.Relative).Take(Most)];

    private IEnumerable<ActiveCard> In(SiteActivations map, IFeatureAtlas atlas)
    {
        var strongest = Place is { } place
            ? map.Under(Cell(place.Y, map.Rows), Cell(place.X, map.Columns)).Select(found => (found.Feature, Value: (double)found.Value))
            : map.Top(Most).Select(found => (found.Feature, Value: found.Mean));
        foreach (var (feature, value) in strongest)
            if (atlas.Find(map.Site, feature) is { IsDead: false } card)
                yield return new(card, value / Math.Max(card.Statistics.Mean, 1e-6));

        static int Cell(double share, int count) => Math.Clamp((int)(share * count), 0, count - 1);
    }
}

/// <summary>A layer that is shown alone, and which layers were on before.</summary>
internal sealed record Solo(int Index, IReadOnlyList<bool> Before)
{
    /// <summary>Reads the text of <see cref="ToJson"/>; null if it is anything else.</summary>
    public static Solo? Restore(string? json)
    {
        try
        {
            return json is { Length: > 0 } && JsonSerializer.Deserialize<Solo>(json) is { Before: not null } solo ? solo : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    public string ToJson() => JsonSerializer.Serialize(this);

    /// <summary>Whether the recipe shows only this layer. An undo, a link or a click may have changed that.</summary>
    public bool IsOn(Recipe recipe) =>
        recipe.Edits.Count == Before.Count && recipe.Edits.Index().All(edit => edit.Item.Enabled == (edit.Index == Index));

    /// <summary>Switches on only this layer.</summary>
    public Recipe Enter(Recipe recipe) => With(recipe, i => i == Index);

    /// <summary>Restores which layers were on before.</summary>
    public Recipe Leave(Recipe recipe) => With(recipe, i => Before[i]);

    private static Recipe With(Recipe recipe, Func<int, bool> isOn) =>
        recipe with { Edits = [.. recipe.Edits.Select((edit, i) => edit with { Enabled = isOn(i) })] };
}

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
