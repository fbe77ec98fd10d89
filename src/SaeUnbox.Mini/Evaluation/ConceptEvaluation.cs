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
            (edits, isTrial) => steering.Paint(element, edits, isTrial ? TryPaint : Paint, Scenes(isTrial), cancellation),
            outcome => outcome.Distance);
        var removal = Best(
            [.. from site in all from count in Counts(site, MostFeatures) from way in Removals
                select new Way(site, new(way.Mode, way.Strength, count, 0, way.Grow))],
            (edits, isTrial) => steering.Remove(element, edits, isTrial ? TryRemove : Remove, Scenes(isTrial), cancellation),
            outcome => outcome.Tally.Figures.Leakage ?? 0);
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

    /// <summary>
    /// Of ways that work in nearly as many scenes as the best one, the one that does least wrong; null if none ever works.
    /// </summary>
    /// <param name="wrong">What should be small.</param>
    public static int? Best(IReadOnlyList<SteeringOutcome> tried, Func<SteeringOutcome, double> wrong)
    {
        var works = tried.Select(Works).ToArray();
        var most = works.DefaultIfEmpty().Max();
        return most > 0 ? Enumerable.Range(0, works.Length).Where(i => works[i] >= most - Nearly).MinBy(i => wrong(tried[i])) : null;
    }

    // The way that works best, with the share of scenes in which it does.
    private static Way? Best(Way[] ways, Func<IReadOnlyList<FeatureEdit>, bool, IReadOnlyList<SteeringOutcome>> measure,
        Func<SteeringOutcome, double> wrong)
    {
        if (Best(measure([.. ways.Select(way => way.Edit)], true), wrong) is not { } best)
            return null;
        var chosen = ways[best];
        var works = Works(measure([chosen.Edit], false)[0]);
        return works > 0 ? chosen with { Effect = chosen.Effect with { Share = Math.Round(works, 2) } } : null;
    }

    private static double Works(SteeringOutcome outcome) => outcome.Tally.Figures.Success ?? 0;

    private sealed record Way(ConceptSite Site, ConceptEffect Effect)
    {
        public FeatureEdit Edit => Site.Edit(Effect);
    }
}
