namespace SaeUnbox.Web.Tests.Components;

/// <summary>An atlas of a few features with names.</summary>
internal sealed class ListAtlas(params (Site Site, int Feature, string Name)[] features) : IFeatureAtlas
{
    private readonly FeatureCard[] _cards = [.. features.Select(one => new FeatureCard(new FeatureStatistics(one.Site, one.Feature, 1, 0),
        one.Name, [], null))];

    public static ListAtlas OfThree { get; } =
        new((Site.Composition, 3, "snow field"), (Site.Details, 7, "red flower"), (Site.Style, 700, "snow light"));

    /// <summary>How searches report their hits, and the note they add.</summary>
    public (FoundBy By, string? Note) Finds { get; init; }

    /// <summary>Called before a search returns.</summary>
    public Action<FeatureQuery> Searching { get; init; } = _ => { };

    public IReadOnlyList<Site> Sites => [.. _cards.Select(card => card.Site).Distinct()];

    public IReadOnlyList<Suggestion> Suggestions => [];

    public IReadOnlyList<Concept> Concepts { get; init; } = [];

    /// <summary>What feature 9 was measured to do.</summary>
    public FeatureEffect? OfNine { get; init; }

    public FeatureHits Search(FeatureQuery query)
    {
        Searching(query);
        var hits = _cards.Where(card => (query.Site is null || card.Site == query.Site)
            && card.Name!.Contains(query.Text ?? "", StringComparison.Ordinal))
            .ToArray();
        return new(hits.Length, [.. hits.Select(card => new FeatureHit(card, null, Finds.By))], Finds.Note);
    }

    public FeatureCard? Find(Site site, int feature) =>
        Array.Find(_cards, card => card.Site == site && card.Feature == feature) is { } found
            ? found with { Effect = feature == 9 ? OfNine : null }
            : null;

    public IReadOnlyList<TopPicture> TopPictures(Site site, int feature) => [];

    public IReadOnlyList<SimilarFeature> Similar(Site site, int feature) => [];

    public IReadOnlyList<FeaturePlace> Map(Site site) => [];

    public AtlasPicture? Picture(string name) => null;
}
