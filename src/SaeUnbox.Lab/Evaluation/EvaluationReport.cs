namespace SaeUnbox.Lab;

/// <summary>Everything that <see cref="ModelEvaluation"/> measures. Sites are given by their codes.</summary>
/// <param name="Question">What was asked. Equal questions give equal reports on equal machines.</param>
/// <param name="Judge">What detection and steering were measured against; null if nothing knows what the pictures show.</param>
/// <param name="Missing">The measures that are not here, and why.</param>
public sealed record EvaluationReport(EvaluationQuestion Question, JudgeDescription? Judge, IReadOnlyList<FitRow> Fit,
    IReadOnlyList<ReconstructionRow> Reconstruction, IReadOnlyList<StabilityRow> Stability, IReadOnlyList<LeakageRow> Leakage,
    IReadOnlyList<ElementFigures> Elements,
    IReadOnlyList<DetectionTotal> DetectionTotals, IReadOnlyList<SteeringTotal> SteeringTotals, IReadOnlyList<MissingMeasure> Missing);

/// <summary>How well a dictionary fits what its site does, over all captions.</summary>
/// <param name="Step">The denoising step; null for all of a run with several.</param>
/// <param name="ExplainedVariancePooled">1 - sum |x - x̂|² / sum |x - mean(x)|², all channels pooled.</param>
/// <param name="ExplainedVariancePerChannel">1 - var(x - x̂) / var(x) of each channel, averaged over channels.</param>
/// <param name="Fvu">Fraction of variance unexplained: 1 - <paramref name="ExplainedVariancePooled"/>.</param>
/// <param name="L0">Mean number of active features in a cell.</param>
/// <param name="DeadShare">Share of the features that are active in no cell of these pictures.</param>
public sealed record FitRow(string Site, int? Step, long Cells, double ExplainedVariancePooled, double ExplainedVariancePerChannel,
    double Fvu, double L0, double DeadShare);

/// <summary>What is left of pictures when dictionaries stand in for what their sites add.</summary>
/// <param name="Sites">A site, or <see cref="All"/>.</param>
/// <param name="Psnr">Peak signal-to-noise ratio in dB against the plain picture, mean over pictures; null if none differs.</param>
/// <param name="ClipText">Mean cosine of caption and picture in CLIP; null without CLIP.</param>
/// <param name="ClipTextPlain">The same for the plain pictures.</param>
/// <param name="ClipPicture">Mean cosine of picture and plain picture in CLIP.</param>
public sealed record ReconstructionRow(string Sites, double? Psnr, double? ClipText, double? ClipTextPlain, double? ClipPicture)
{
    public const string All = "all";
}

/// <summary>How alike the dictionary of a site is to a second one.</summary>
public sealed record StabilityRow(string Site, StabilityFigures Figures);

/// <summary>
/// What painting changes where nothing knows what pictures show: of each picture the most active feature of the site, painted into the
/// middle quarter.
/// </summary>
/// <param name="Strength">See <see cref="EditMode.Add"/>.</param>
/// <param name="Inside">Mean change inside the cells, 0 to 1.</param>
/// <param name="Outside">Mean change outside.</param>
/// <param name="Leakage"><paramref name="Outside"/> / <paramref name="Inside"/>; null if nothing changes inside.</param>
public sealed record LeakageRow(string Site, double Strength, int Pictures, double Inside, double Outside, double? Leakage);

/// <summary>What was measured for an element.</summary>
/// <param name="Sheet">The name of the file with example pictures; null without any.</param>
public sealed record ElementFigures(string Element, IReadOnlyList<ElementSite> Sites, IReadOnlyList<DetectionRow> Detection,
    IReadOnlyList<SteeringRow> Steering, string? Sheet);

/// <inheritdoc cref="SiteFindings"/>
public sealed record ElementSite(string Site, int Feature, double Correlation, IReadOnlyList<ConceptFeature> Concept, int Neuron);

/// <summary>How well a method finds the element's cells in pictures that it was not chosen on.</summary>
/// <param name="Auc">See <see cref="CellDetection.Auc"/>; null if the pictures have no such cell, or no other.</param>
/// <param name="Iou">See <see cref="CellDetection.Iou"/>.</param>
/// <param name="Threshold">The score that gives the largest intersection over union on the pictures for selection.</param>
/// <param name="Chosen">The area under the curve on the pictures for selection.</param>
public sealed record DetectionRow(string Site, string Method, double? Auc, double? Iou, double Threshold, double? Chosen);

/// <summary>What a method does with the element, at the strength that was best on other pictures.</summary>
/// <param name="Site">Null for the prompt.</param>
/// <param name="Chosen">The score on those other pictures, see <see cref="SteeringTally.Score"/>; null if there were none.</param>
public sealed record SteeringRow(string? Site, string Method, SteeringTask Task, double Strength, double? Chosen, SteeringFigures Figures);

/// <summary>Detection by a method: means over elements, each at the site that was best on the pictures for selection.</summary>
public sealed record DetectionTotal(string Method, string Site, int Elements, double? Auc, double? Iou);

/// <summary>Steering by a method: means over elements.</summary>
/// <param name="Site">A site, or <see cref="Best"/>: for each element the site that was best on the pictures for choosing.</param>
public sealed record SteeringTotal(string Method, SteeringTask Task, string Site, int Elements, SteeringFigures Figures)
{
    public const string Best = "best";
}

/// <summary>A measure that could not be had.</summary>
public sealed record MissingMeasure(string Measure, string Reason);

/// <summary>Means over elements.</summary>
internal static class EvaluationTotals
{
    /// <summary>For each method and site the mean over elements, and for <see cref="SteeringTotal.Best"/> each at its best site.</summary>
    public static IReadOnlyList<DetectionTotal> Detection(IReadOnlyList<ElementFigures> elements)
    {
        var rows = elements.SelectMany(one => one.Detection.Select(row => (one.Element, Row: row))).ToArray();
        var best = rows.GroupBy(one => (one.Element, one.Row.Method)).Select(group => group.MaxBy(one => one.Row.Chosen ?? 0));
        return
        [
            .. from one in best.Select(one => (one.Row, Site: SteeringTotal.Best)).Concat(rows.Select(one => (one.Row, one.Row.Site)))
               group one.Row by (one.Row.Method, one.Site) into rowsOf
               orderby Order(rowsOf.Key.Method)
               select new DetectionTotal(rowsOf.Key.Method, rowsOf.Key.Site, rowsOf.Count(), rowsOf.Average(row => row.Auc),
                   rowsOf.Average(row => row.Iou)),
        ];
    }

    /// <inheritdoc cref="Detection"/>
    public static IReadOnlyList<SteeringTotal> Steering(IReadOnlyList<ElementFigures> elements)
    {
        var rows = elements.SelectMany(one => one.Steering.Select(row => (one.Element, Row: row))).ToArray();
        var best =
            rows.GroupBy(one => (one.Element, one.Row.Method, one.Row.Task)).Select(group => group.MaxBy(one => one.Row.Chosen ?? 0));
        var alone = rows.Where(one => one.Row.Site is not null).Select(one => (one.Row, Site: one.Row.Site!));
        return
        [
            .. from one in best.Select(one => (one.Row, Site: SteeringTotal.Best)).Concat(alone)
               group one.Row by (one.Row.Task, one.Row.Method, one.Site) into rowsOf
               orderby rowsOf.Key.Task, Order(rowsOf.Key.Method)
               select new SteeringTotal(rowsOf.Key.Method, rowsOf.Key.Task, rowsOf.Key.Site, rowsOf.Count(),
                   SteeringFigures.Mean([.. rowsOf.Select(row => row.Figures)])),
        ];
    }

    private static int Order(string method) => SteeringMethod.Names.Index().Single(one => one.Item == method).Index;
}
