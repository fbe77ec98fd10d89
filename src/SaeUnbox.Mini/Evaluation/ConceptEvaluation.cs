namespace SaeUnbox.Mini.Evaluation;

/// <summary>
/// Makes the concept of an element: tries ways to put it into scenes and to take it out, and measures the chosen ones on other scenes.
/// </summary>
internal sealed class ConceptEvaluation(SteeringEvaluation steering, MiniEvaluationOptions options)
{
    /// <summary>Most features of a site that stand for an element.</summary>
    public const int MostFeatures = 3;

    private const int TryPaint = 26, TryRemove = 27, Paint = 28, Remove = 29;

    // Of the ways that work in nearly as many scenes as the best one, the most faithful is chosen.
    private const double Nearly = .1;

    private static readonly double[] Strengths = [3, 5, 7, 9];

    private static readonly (EditMode Mode, double Strength, int Grow)[] Removals =
    [
        (EditMode.Scale, SteeringEvaluation.Removal, 0), (EditMode.ReplaceNearest, 1, 0), (EditMode.ReplaceNearest, 1, 1),
    ];

    /// <param name="sites">The features for the element at each site, the best first.</param>
    /// <returns>Null if nothing puts it in or takes it out.</returns>
    public Concept? Run(
        SteeringElement element, IReadOnlyList<(Site Site, IReadOnlyList<LabelFeature> Features)> sites, CancellationToken cancellation)
    {
        ConceptSite[] all =
        [
            .. sites.Select(site => new ConceptSite(site.Site,
                [.. site.Features.Select(one => new ConceptFeature(one.Feature, Math.Round(one.Score, 3), null))])),
        ];
        var painting = Best(
            [.. from site in all from count in Counts(site, 2) from strength in Strengths
                select new Way(site, new(EditMode.Add, strength, count, 0))],
            (edits, isTrial) => [.. steering.Paint(element, edits, isTrial ? TryPaint : Paint, Scenes(isTrial), cancellation)
                .Select(tally => (tally.Found - tally.FoundBefore, tally.Distance))]);
        var removal = Best(
            [.. from site in all from count in Counts(site, MostFeatures) from way in Removals
                select new Way(site, new(way.Mode, way.Strength, count, 0, way.Grow))],
            (edits, isTrial) => [.. steering.Remove(element, edits, isTrial ? TryRemove : Remove, Scenes(isTrial), cancellation)
                .Select(tally => (tally.Removed ?? 0, tally.Outside))]);
        if (painting is null && removal is null)
            return null;
        return new(element.Name,
            FormattableString.Invariant($"labels of {options.Pictures} pictures, measured in {options.ConceptScenes} scenes"),
        [
            .. all.Where(site => site == painting?.Site || site == removal?.Site).Select(site => site with
            {
                Painting = site == painting?.Site ? painting.Effect : null,
                Removal = site == removal?.Site ? removal.Effect : null,
            }),
        ]);
    }

    private int Scenes(bool isTrial) => isTrial ? options.Trials : options.ConceptScenes;

    private static IEnumerable<int> Counts(ConceptSite site, int most) => new[] { 1, Math.Min(most, site.Features.Count) }.Distinct();

    /// <summary>The way that works best, with the share of scenes in which it does; null if none ever works.</summary>
    /// <param name="measure">The share, and what should be small: the distance from the truth, or what changes outside.</param>
    private static Way? Best(Way[] ways, Func<IReadOnlyList<FeatureEdit>, bool, IReadOnlyList<(double Works, double Wrong)>> measure)
    {
        if (ways.Length == 0)
            return null;
        var tried = ways.Zip(measure([.. ways.Select(way => way.Edit)], true)).ToArray();
        var most = tried.Max(one => one.Second.Works);
        var (chosen, _) = tried.Where(one => one.Second.Works >= most - Nearly).MinBy(one => one.Second.Wrong);
        var works = measure([chosen.Edit], false)[0].Works;
        return works > 0 ? chosen with { Effect = chosen.Effect with { Share = Math.Round(works, 2) } } : null;
    }

    private sealed record Way(ConceptSite Site, ConceptEffect Effect)
    {
        public FeatureEdit Edit => Site.Edit(Effect);
    }
}
