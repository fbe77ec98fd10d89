using System.Globalization;

namespace SaeUnbox.Serving;

/// <summary>What can be told of features without an atlas: what their autoencoders' files say of how strongly they fire.</summary>
internal sealed class StatisticsAtlas : IFeatureAtlas
{
    private readonly Dictionary<HookSite, FeatureCard[]> _cards;

    public StatisticsAtlas(IReadOnlyList<FeatureStatistics> statistics)
    {
        _cards = statistics.GroupBy(feature => feature.Site).OrderBy(group => group.Key)
            .ToDictionary(group => group.Key, group => group.OrderBy(feature => feature.Feature).Select(feature => new FeatureCard(feature, null, [], null)).ToArray());
        Sites = [.. _cards.Keys];
    }

    public IReadOnlyList<HookSite> Sites { get; }

    public IReadOnlyList<Suggestion> Suggestions => [];

    public FeatureHits Search(FeatureQuery query)
    {
        var cards = Sites.Where(site => query.Site is null || query.Site == site).SelectMany(site => _cards[site]).Where(card => query.Dead || !card.IsDead);
        if (query.Text?.Trim() is { Length: > 0 } text)
            // Without captions only numbers can be found: those that begin with the digits.
            cards = text.All(char.IsAsciiDigit) ? cards.Where(card => card.Feature.ToString(CultureInfo.InvariantCulture).StartsWith(text, StringComparison.Ordinal)) : [];
        var sorted = (query.Sort switch
        {
            FeatureSort.Mean or FeatureSort.Max => cards.OrderByDescending(card => card.Statistics.Mean),
            FeatureSort.Frequency => cards.OrderByDescending(card => card.Statistics.Frequency ?? 0),
            _ => cards,
        }).ToArray();
        return new(sorted.Length, [.. sorted.Skip(query.Offset).Take(Math.Min(query.Limit, FeatureQuery.MaxLimit)).Select(card => new FeatureHit(card, null))]);
    }

    public FeatureCard? Find(HookSite site, int feature) => _cards.TryGetValue(site, out var cards) && feature >= 0 && feature < cards.Length ? cards[feature] : null;

    public IReadOnlyList<TopPicture> TopPictures(HookSite site, int feature) => [];

    public IReadOnlyList<SimilarFeature> Similar(HookSite site, int feature) => [];

    public IReadOnlyList<FeaturePlace> Map(HookSite site) => [];

    public AtlasPicture? Picture(string name) => null;
}
