using SaeUnbox.Mini.Scenes;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Evaluation;

/// <summary>
/// Makes each element a concept: tries ways to put it into scenes and to take it out, and measures the chosen ones on other scenes.
/// </summary>
public static class ConceptEvaluation
{
    /// <param name="model">The model folder.</param>
    /// <param name="autoencoders">The folder of its four autoencoders.</param>
    /// <param name="parts">A folder for what is done, from which a stopped run goes on. Made if there is none.</param>
    /// <param name="device">cpu, cuda or cuda:N.</param>
    /// <returns>In the order of <see cref="MiniEvaluation.Elements"/>. Equal options give equal ones.</returns>
    /// <exception cref="SaeException">A site has no autoencoder, or the folder holds the parts of another run.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static IReadOnlyList<MeasuredConcept> Run(string model, string autoencoders, MiniEvaluationOptions options, string parts,
        IProgress<MiniEvaluationProgress>? progress = null, string device = "cpu", CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Trials, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.ConceptScenes, 1);
        var place = OnDevice.Open(device);
        using var noGrad = no_grad();
        using var saes = SaeSet.Load(autoencoders, place);
        var folder = EvaluationFolder.Open(parts, new ConceptQuestion(FeatureEvaluation.FingerprintOf(model, autoencoders), options.Seed,
            Names.Of(options.Dtype), options.Pictures, options.Trials, options.ConceptScenes, options.FittingSteps,
            options.FittingScenes));
        var known = folder.Part("features", () =>
        {
            using var loaded = new MiniModel(model, place, options.Dtype);
            return new ConceptFeatures(loaded, saes, options)
                .Run(done => progress?.Report(new("finding features", done, options.Pictures)), cancellation);
        });
        var elements = SteeringElement.All.Where(element => options.Elements?.Contains(element.Name) ?? true).ToArray();
        var made = SteeringEvaluation.OfEach(model, saes, elements, options, place, (steering, element) =>
            {
                ConceptDirection[] directions = [.. known.Where(one => one.Element == element.Name)];
                var trials = new ConceptTrials(steering, options, cancellation);
                return (In: folder.Part($"{element.Name} in", () => trials.PutIn(element, directions, Fitted)),
                    Out: folder.Part($"{element.Name} out", () => trials.TakeOut(element, directions)), Directions: directions);

                // At the first site, so that every later layer can respond to it.
                ConceptEffect? Fitted(bool isAdding) => options.FittingSteps == 0 || directions is not [{ } first, ..] ? null
                    : folder.Part($"{element.Name} {(isAdding ? "added" : "fitted")}", () =>
                    {
                        using var exact = new MiniModel(model, place);
                        return new FittedConcept(ConceptFitting.Fit(exact, saes, element, first, isAdding, options, cancellation));
                    }).Effect;
            },
            done => progress?.Report(new("concepts", done, elements.Length)), cancellation);
        var layers = elements.Zip(made, (element, one) => (element, one.In.Edit(one.Directions))).ToArray();
        var upper = SteeringEvaluation.OfEach(model, saes, elements, options, place, (steering, element) =>
            folder.Part($"{element.Name} over others", () => new ConceptTrials(steering, options, cancellation).Cover(element, layers)),
            done => progress?.Report(new("layers", done, elements.Length)), cancellation);
        return
        [
            .. elements.Zip(made, upper).Select(one => new MeasuredConcept(
                ConceptOf(one.First, one.Second.In, one.Second.Out, one.Second.Directions, options),
                new(one.First.Name, one.Second.In.Share, one.Second.In.Outside, one.Second.In.Other, one.Third.Share,
                    one.Second.Out.Share, one.Second.Out.Outside, one.Second.Out.Other))),
        ];
    }

    private static Concept? ConceptOf(SteeringElement element, ConceptEdit painting, ConceptEdit removal,
        IReadOnlyList<ConceptDirection> known, MiniEvaluationOptions options)
    {
        ConceptSite[] sites =
        [
            .. from one in known
               let effects = (Painting: one.Site == painting.Site ? painting.Effect : null,
                   Removal: one.Site == removal.Site ? removal.Effect : null)
               where effects.Painting is not null || effects.Removal is not null
               select new ConceptSite(one.Site, [.. FeaturesOf(one, effects.Painting, effects.Removal)])
               {
                   Painting = effects.Painting,
                   Removal = effects.Removal,
               },
        ];
        return sites.Length == 0 ? null : new(element.Name,
            FormattableString.Invariant($"labels of {options.Pictures} pictures, measured in {options.ConceptScenes} scenes"), sites);
    }

    // The features that stand for the element. A fit may use others as well, such as features that it weakens.
    private static IEnumerable<ConceptFeature> FeaturesOf(ConceptDirection known, params ConceptEffect?[] effects) =>
        known.Features.Take(effects.OfType<ConceptEffect>().Where(effect => effect.Weighted is null)
            .Select(effect => effect.Features).Append(known.Units.Count).Max());

    private sealed record ConceptQuestion(string Files, int Seed, string Dtype, int Pictures, int Trials, int Scenes,
        int FittingSteps, int FittingScenes);
}

/// <summary>An element as a concept.</summary>
/// <param name="Concept">For the atlas; null if nothing puts the element in or takes it out.</param>
public sealed record MeasuredConcept(Concept? Concept, ConceptFigures Figures);

/// <summary>
/// How often a concept's edits work, in scenes in which they were not chosen. Shares are null where there was nothing to measure.
/// </summary>
/// <param name="Painted">Share of scenes without the element in which it is there then.</param>
/// <param name="PaintedOutside">Mean change of pixels outside the stroke / mean change inside.</param>
/// <param name="Over">The share if the stroke covers another thing, which is gone then; null for what is no thing.</param>
/// <param name="Upper">The share if a layer with another element of the group, by its concept, lies below.</param>
/// <param name="Removed">Share of scenes with the element in which it is gone then.</param>
/// <param name="RemovedOutside"><paramref name="PaintedOutside"/> for removal.</param>
/// <param name="Empty">
/// Share in which the picture is then nearest to the drawing with nothing there; null for what is no thing.
/// </param>
public sealed record ConceptFigures(string Element, double? Painted, double? PaintedOutside, double? Over, double? Upper, double? Removed,
    double? RemovedOutside, double? Empty);

/// <summary>The way that was chosen, and what it does in other scenes; all null if none works.</summary>
/// <param name="Share">Share of scenes in which it works.</param>
/// <param name="Outside">Mean change of pixels outside the stroke / mean change inside.</param>
/// <param name="Other"><see cref="ConceptFigures.Over"/> or <see cref="ConceptFigures.Empty"/>.</param>
internal sealed record ConceptEdit(Site? Site, ConceptEffect? Effect, double? Share, double? Outside, double? Other)
{
    /// <summary>The edit, everywhere; null if none works.</summary>
    public FeatureEdit? Edit(IReadOnlyList<ConceptDirection> known) => Effect is null ? null
        : new ConceptSite(Site!, known.Single(one => one.Site == Site).Features).Edit(Effect);
}

/// <summary>What <see cref="ConceptFitting"/> found; null for nothing.</summary>
internal sealed record FittedConcept(ConceptEffect? Effect);

/// <summary>A share of scenes.</summary>
internal sealed record ConceptShare(double? Share);

/// <summary>Tries the ways of one element.</summary>
internal sealed class ConceptTrials(SteeringEvaluation steering, MiniEvaluationOptions options, CancellationToken cancellation)
{
    private const int TryPaint = 26, TryRemove = 27, Paint = 28, Remove = 29, ComparePaint = 36, CompareRemove = 37, Over = 38, Upper = 39,
        CompareFit = 45;

    // Ways that are compared in twice as many scenes.
    private const int Finalists = 4;

    // Of the ways that work in nearly as many scenes as the best one, the most faithful is chosen.
    private const double Nearly = .05;

    // In units of ConceptDirection.
    private static readonly double[] Amounts = [.9, 1.5, 2.5], Negatives = [-.9, -1.8];

    // Nothing is fitted if a way works in this share of the scenes.
    private const double GoodEnough = .95;

    // Factors of a fitted strength.
    private static readonly double[] Fittings = [1, 1.3];

    /// <param name="fit">
    /// Fits a way at the first site, with weights of any sign or with positive ones; it is called if no other way works often enough. Null
    /// for none.
    /// </param>
    public ConceptEdit PutIn(SteeringElement element, IReadOnlyList<ConceptDirection> known, Func<bool, ConceptEffect?> fit)
    {
        var best = Best(SteeringTask.Paint, element, [.. known.SelectMany(Paintings)], TryPaint, ComparePaint);
        foreach (var isAdding in (bool[])[false, true])
        {
            if (best is { Works: >= GoodEnough } || fit(isAdding) is not { } fitted)
                continue;
            List<ConceptWay> ways = [.. Fittings.Select(factor =>
                new ConceptWay(known[0], fitted with { Strength = StrengthOf(factor * fitted.Strength) }))];
            if (best is not null)
                ways.Insert(0, best.Way);
            // A fit is trained to come near the drawings, so only how often it works is compared.
            best = Compare(SteeringTask.Paint, element, ways, new(CompareFit, 4 * options.Trials), nearly: 0);
        }
        var way = best?.Way;
        return Measured(SteeringTask.Paint, element, way, new(Paint, options.ConceptScenes), _ => element.Kind is null ? null
            : Run(SteeringTask.Paint, element, way!, new(Over, options.ConceptScenes, AreOccupied: true)).Works);
    }

    public ConceptEdit TakeOut(SteeringElement element, IReadOnlyList<ConceptDirection> known)
    {
        var way = Best(SteeringTask.Remove, element, [.. known.SelectMany(one => Removals(one, element.Kind is not null))], TryRemove,
            CompareRemove)?.Way;
        return Measured(SteeringTask.Remove, element, way, new(Remove, options.ConceptScenes),
            outcome => element.Kind is null ? null : outcome.Works);
    }

    /// <summary>In how many scenes an element shows that is painted over another one of its group.</summary>
    /// <param name="all">The edit that paints each element.</param>
    public ConceptShare Cover(SteeringElement element, IReadOnlyList<(SteeringElement Element, FeatureEdit? Edit)> all)
    {
        var alike = all.Where(one => one.Edit is not null && one.Element.Group == element.Group
            && one.Element.Kind?.IsOfSky() == element.Kind?.IsOfSky()).ToArray();
        var own = Array.FindIndex(alike, one => one.Element == element);
        if (own < 0 || alike.Length < 2)
            return new(null);
        FeatureEdit[] layers = [alike[(own + 1) % alike.Length].Edit!, alike[own].Edit!];
        FeatureEdit[] way = [.. MiniModel.Sites.SelectMany(site => LayerCover.Visible([.. layers.Where(layer => layer.Site == site)]))];
        return new(steering.Run(SteeringTask.Paint, element, (IReadOnlyList<IReadOnlyList<FeatureEdit>>)[way],
            new(Upper, options.ConceptScenes, IsNear: true), cancellation)[0].Tally.Figures.Success);
    }

    /// <summary>
    /// Of ways that work in nearly as many scenes as the best one, the one that does least wrong; null if none ever works.
    /// </summary>
    /// <param name="wrong">What should be small.</param>
    /// <param name="nearly">How much smaller a way's share of scenes may be than the best one's, 0 to 1.</param>
    public static int? Best(IReadOnlyList<SteeringOutcome> tried, Func<SteeringOutcome, double> wrong, double nearly = Nearly)
    {
        var works = tried.Select(one => one.Works).ToArray();
        var most = works.DefaultIfEmpty().Max();
        return most > 0 ? Enumerable.Range(0, works.Length).Where(i => works[i] >= most - nearly).MinBy(i => wrong(tried[i])) : null;
    }

    private BestWay? Best(SteeringTask task, SteeringElement element, ConceptWay[] ways, int first, int second)
    {
        // The probe knows the backdrop, and takes a blur or another ground for nothing; but that is far from the true drawing.
        var isByDistance = task == SteeringTask.Remove && element.Kind is not null;
        var best = Try(task, element, ways, new(first, options.Trials)).Zip(ways).Where(one => one.First.Works > 0)
            .OrderByDescending(one => isByDistance ? 0 : one.First.Works).ThenBy(one => one.First.Distance).Take(Finalists)
            .Select(one => one.Second).ToArray();
        return Compare(task, element, best, new(second, 2 * options.Trials), Nearly);
    }

    private BestWay? Compare(SteeringTask task, SteeringElement element, IReadOnlyList<ConceptWay> ways, SceneSet scenes, double nearly)
    {
        var tried = Try(task, element, ways, scenes);
        return Best(tried, outcome => outcome.Distance, nearly) is { } index ? new(ways[index], tried[index].Works) : null;
    }

    private SteeringOutcome[] Try(SteeringTask task, SteeringElement element, IReadOnlyList<ConceptWay> ways, SceneSet scenes) =>
        steering.Run(task, element, [.. ways.Select(way => way.Edit)], scenes with { IsNear = true }, cancellation);

    private ConceptEdit Measured(SteeringTask task, SteeringElement element, ConceptWay? way, SceneSet scenes,
        Func<SteeringOutcome, double?> other)
    {
        if (way is null || Run(task, element, way, scenes) is not { Tally.Figures: { Success: > 0 and var share } figures } outcome)
            return new(null, null, null, null, null);
        return new(way.Direction.Site, way.Effect with { Share = Math.Round(share, 2) }, share, figures.Leakage, other(outcome));
    }

    private SteeringOutcome Run(SteeringTask task, SteeringElement element, ConceptWay way, SceneSet scenes) =>
        steering.Run(task, element, [way.Edit], scenes, cancellation)[0];

    private static IEnumerable<ConceptWay> Paintings(ConceptDirection direction) =>
        from count in Enumerable.Range(1, direction.Units.Count)
        from amount in Amounts
        select Added(direction, count, amount);

    // A thing has many parts, with features of their own: as many as are known may be needed to leave nothing.
    private static IEnumerable<ConceptWay> Removals(ConceptDirection direction, bool isThing)
    {
        foreach (var count in new[] { 1, direction.Units.Count, isThing ? direction.Features.Count : 1 }.Distinct())
        {
            yield return new(direction, new(EditMode.Scale, SteeringEvaluation.Removal, count, 0));
            foreach (var grow in Enumerable.Range(0, 3))
                yield return new(direction, new(EditMode.ReplaceNearest, 1, count, 0, grow));
        }
        if (isThing)
            yield break;
        foreach (var amount in Negatives)
            yield return Added(direction, Math.Min(2, direction.Units.Count), amount);
    }

    private static ConceptWay Added(ConceptDirection direction, int count, double amount) => new(direction, new(EditMode.Add,
        StrengthOf(amount * direction.Units[count - 1]), count, 0));

    private static double StrengthOf(double value) =>
        Math.Clamp(Math.Round(value, 1), RecipeLimits.MinStrength, RecipeLimits.MaxStrength);

    private sealed record BestWay(ConceptWay Way, double Works);

    private sealed record ConceptWay(ConceptDirection Direction, ConceptEffect Effect)
    {
        public FeatureEdit Edit => new ConceptSite(Direction.Site, Direction.Features).Edit(Effect);
    }
}
