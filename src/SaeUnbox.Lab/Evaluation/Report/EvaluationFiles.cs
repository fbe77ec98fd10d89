using System.Globalization;
using System.Text.Json;

namespace SaeUnbox.Lab;

/// <summary>Writes what an evaluation found: report.json, tables, and a page.</summary>
internal static class EvaluationFiles
{
    public static void Write(EvaluationFolder folder, EvaluationReport report)
    {
        foreach (var table in Tables(report).Where(table => table.Rows.Count > 0))
            folder.Write(table.Name + ".csv", table.Csv());
        folder.Write("report.json", JsonSerializer.Serialize(report, EvaluationFolder.Json));
        folder.Write("index.html", EvaluationPage.Of(report, name => File.ReadAllBytes(folder.At(name))));
    }

    private static IEnumerable<Table> Tables(EvaluationReport report)
    {
        yield return new("fit",
            ["site", "step", "cells", "explained_variance_pooled", "explained_variance_per_channel", "fvu", "l0", "dead_share"],
            [.. report.Fit.Select(row => Table.Row(row.Site, row.Step, row.Cells, row.ExplainedVariancePooled,
                row.ExplainedVariancePerChannel, row.Fvu, row.L0, row.DeadShare))]);
        yield return new("reconstruction", ["sites", "psnr", "clip_text", "clip_text_plain", "clip_picture"],
            [.. report.Reconstruction.Select(row => Table.Row(row.Sites, row.Psnr, row.ClipText, row.ClipTextPlain, row.ClipPicture))]);
        yield return new("stability", ["site", "features", "features_second", "matched_cosine", "same_share", "best_cosine"],
            [.. report.Stability.Select(row => Table.Row(row.Site, row.Figures.First, row.Figures.Second, row.Figures.MatchedCosine,
                row.Figures.SameShare, row.Figures.BestCosine))]);
        yield return new("leakage", ["site", "strength", "pictures", "inside", "outside", "leakage"],
            [.. report.Leakage.Select(row => Table.Row(row.Site, row.Strength, row.Pictures, row.Inside, row.Outside, row.Leakage))]);
        yield return new("detection", ["element", "site", "method", "auc", "iou", "threshold", "auc_on_selection"],
            [.. report.Elements.SelectMany(one => one.Detection.Select(row => Table.Row(one.Element, row.Site, row.Method, row.Auc, row.Iou,
                row.Threshold, row.Chosen)))]);
        yield return new("steering", ["element", "site", "method", "task", "strength", "score_on_choosing", .. SteeringColumns],
            [.. report.Elements.SelectMany(one => one.Steering.Select(row => (string[])[.. Table.Row(one.Element, row.Site, row.Method,
                row.Task, row.Strength, row.Chosen), .. Cells(row.Figures)]))]);
        yield return new("detection_totals", ["method", "site", "elements", "auc", "iou"],
            [.. report.DetectionTotals.Select(row => Table.Row(row.Method, row.Site, row.Elements, row.Auc, row.Iou))]);
        yield return new("steering_totals", ["method", "task", "site", "elements", .. SteeringColumns],
            [.. report.SteeringTotals.Select(row => (string[])[.. Table.Row(row.Method, row.Task, row.Site, row.Elements),
                .. Cells(row.Figures)])]);
    }

    private static string[] SteeringColumns =>
        ["pictures", "possible", "success", "retention", "artefacts", "artefacts_before", "leakage"];

    private static string[] Cells(SteeringFigures figures) => Table.Row(figures.Pictures, figures.Possible, figures.Success,
        figures.Retention, figures.Artefacts, figures.ArtefactsBefore, figures.Leakage);

    /// <summary>Rows of one table as text.</summary>
    private sealed record Table(string Name, string[] Head, IReadOnlyList<string[]> Rows)
    {
        public static string[] Row(params object?[] values) => [.. values.Select(value => value switch
        {
            null => "",
            double number => number.ToString("R", CultureInfo.InvariantCulture),
            SteeringTask task => Names.Of(task),
            _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
        })];

        // Names of sites, methods and elements hold neither commas nor quotes.
        public string Csv() => string.Concat(Rows.Prepend(Head).Select(row => string.Join(',', row) + "\n"));
    }
}
