namespace SaeUnbox.Web.Components.Pages.Paint;

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
