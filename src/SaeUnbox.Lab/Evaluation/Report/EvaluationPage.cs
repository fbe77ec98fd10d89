using System.Globalization;
using System.Security;
using System.Text;

namespace SaeUnbox.Lab;

/// <summary>The page of an evaluation: one HTML file with its plots and pictures inside, without scripts and without addresses.</summary>
internal sealed class EvaluationPage
{
    private const string Style = """
        body { font: 15px/1.45 system-ui, sans-serif; color: #18181b; background: #fff }
        main { max-width: 1100px; margin: 2rem auto; padding: 0 1rem }
        h1 { font-size: 1.6rem } h2 { font-size: 1.25rem; margin-top: 2.5rem } h3 { font-size: 1rem; margin-top: 1.5rem }
        table { border-collapse: collapse; margin: .75rem 0; font-variant-numeric: tabular-nums }
        th, td { padding: .2rem .6rem; border-bottom: 1px solid #e4e4e7; text-align: right }
        th:first-child, td:first-child { text-align: left }
        thead th { border-bottom: 2px solid #a1a1aa; vertical-align: bottom }
        .best td { font-weight: 600; background: #f4f4f5 }
        .wide { overflow-x: auto } svg, img { max-width: 100%; height: auto }
        figure { margin: 1rem 0 } figcaption { color: #52525b }
        dt { font-weight: 600; margin-top: .5rem } dd { margin: 0 }
        """;

    private readonly StringBuilder _html = new();
    private readonly EvaluationReport _report;
    private readonly Func<string, byte[]> _file;

    private EvaluationPage(EvaluationReport report, Func<string, byte[]> file) => (_report, _file) = (report, file);

    /// <param name="file">Reads a picture of the report.</param>
    public static string Of(EvaluationReport report, Func<string, byte[]> file)
    {
        var page = new EvaluationPage(report, file);
        page.Write();
        return page._html.ToString();
    }

    private void Write()
    {
        var question = _report.Question;
        Add("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        Add($"<title>Evaluation of {Safe(question.Model)}</title>\n");
        Add($"<meta name=\"viewport\" content=\"width=device-width, "
            + $"initial-scale=1\">\n<style>\n{Style}\n</style>\n</head>\n<body>\n<main>\n");
        Add($"<h1>Evaluation of {Safe(question.Model)}</h1>\n");
        Add($"<p>{Text(question.Captions)} captions, {Text(question.Steps)} {(question.Steps == 1 ? "step" : "steps")}, "
            + $"{Safe(question.Dtype)} on "
            + $"{Safe(question.Device)} with {Text(question.Threads)} {(question.Threads == 1 ? "thread" : "threads")}; model "
            + $"<code>{Safe(question.ModelFingerprint)}</code>, dictionaries <code>{Safe(question.Dictionaries)}</code>.");
        if (question.Seed is { } seed)
            Add($" Seed {Text(seed)}; {Text(question.Pictures)} pictures to choose on and as many others for detection; "
                + $"{Text(question.Scenes)} "
                + $"pictures for each element and task, {Text(question.Tuning)} others for choosing strengths.");
        Add("</p>\n");
        Fit();
        Reconstruction();
        Stability();
        Leakage();
        Detection();
        Steering();
        Examples();
        Definitions();
        Add("<h2>Missing</h2>\n<ul>\n");
        foreach (var one in _report.Missing)
            Add($"<li>{Safe(one.Measure)}: {Safe(one.Reason)}</li>\n");
        Add("</ul>\n</main>\n</body>\n</html>\n");
    }

    private void Fit()
    {
        Add("<h2>How well the dictionaries fit</h2>\n");
        Add(Plots.Bars("Explained variance by site",
            [.. _report.Fit.Select(row => (Named(row), (double?)row.ExplainedVariancePooled))], 1));
        Table(["site", "step", "explained variance (pooled)", "explained variance (per channel)", "FVU", "L0", "dead features", "cells"],
            _report.Fit.Select(row => (string[])[row.Site, row.Step is { } step ? Text(step) : "all", Number(row.ExplainedVariancePooled),
                Number(row.ExplainedVariancePerChannel), Number(row.Fvu), Number(row.L0, "F2"), Share(row.DeadShare), Text(row.Cells)]));
    }

    private string Named(FitRow row) =>
        _report.Question.Steps == 1 ? row.Site : $"{row.Site}, step {(row.Step is { } step ? Text(step) : "all")}";

    private void Reconstruction()
    {
        Add("<h2>Pictures after reconstruction</h2>\n");
        Add(Plots.Bars("PSNR in dB by site", [.. _report.Reconstruction.Select(row => (row.Sites, row.Psnr))], 50));
        var hasClip = _report.Reconstruction.Any(row => row.ClipText is not null);
        Table(["sites", "PSNR, dB", .. hasClip ? (string[])["CLIP: caption", "plain picture and caption", "both pictures"] : []],
            _report.Reconstruction.Select(row => (string[])[row.Sites, Number(row.Psnr, "F2"), .. hasClip
                ? (string[])[Number(row.ClipText), Number(row.ClipTextPlain), Number(row.ClipPicture)] : []]));
    }

    private void Stability()
    {
        if (_report.Stability.Count == 0)
            return;
        Add("<h2>Stability between two dictionaries</h2>\n");
        Table(["site", "features", "of the second", "mean cosine of matches", "matches of 0.7 or more", "mean best cosine"],
            _report.Stability.Select(row => (string[])[row.Site, Text(row.Figures.First), Text(row.Figures.Second),
                Number(row.Figures.MatchedCosine), Share(row.Figures.SameShare), Number(row.Figures.BestCosine)]));
    }

    private void Leakage()
    {
        if (_report.Leakage.Count == 0)
            return;
        Add("<h2>Leakage of painting</h2>\n<p>The most active feature of each picture, painted into its middle quarter.</p>\n");
        Table(["site", "strength", "pictures", "change inside", "change outside", "leakage"], _report.Leakage.Select(row => (string[])
            [row.Site, Number(row.Strength, "0.##"), Text(row.Pictures), Number(row.Inside, "F4"), Number(row.Outside, "F4"),
                Number(row.Leakage)]));
    }

    private void Detection()
    {
        if (_report.DetectionTotals.Count == 0)
            return;
        Add("<h2>Detection</h2>\n<p>Each cell of the pictures is scored; the truth is the element's mask.</p>\n");
        var best = _report.DetectionTotals.Where(row => row.Site == SteeringTotal.Best).ToArray();
        Add(Plots.Bars("Area under the ROC curve by method", [.. best.Select(row => (row.Method, row.Auc))], 1));
        Table(["method", "site", "elements", "AUC", "IoU"], _report.DetectionTotals.Select(row =>
            (string[])[row.Method, row.Site, Text(row.Elements), Number(row.Auc), Number(row.Iou)]));
        Add("<h3>AUC of each element, at the site that was best on the pictures to choose on</h3>\n");
        Matrix([.. best.Select(row => row.Method)], element => method =>
            element.Detection.Where(row => row.Method == method).MaxBy(row => row.Chosen ?? 0)?.Auc);
    }

    private void Steering()
    {
        foreach (var task in _report.SteeringTotals.Select(row => row.Task).Distinct())
        {
            var rows = _report.SteeringTotals.Where(row => row.Task == task).ToArray();
            var best = rows.Where(row => row.Site == SteeringTotal.Best).ToArray();
            Add(task == SteeringTask.Paint ? "<h2>Painting</h2>\n" : "<h2>Removing</h2>\n");
            Add(Plots.Points($"Success and retention, {Names.Of(task)}", "retention", "success",
                [.. best.Where(row => row.Figures.Success is not null).Select(row =>
                    (row.Method, row.Figures.Retention ?? 1, row.Figures.Success!.Value))]));
            Table(["method", "site", "elements", "pictures", "success", "retention", "artefacts", "artefacts before", "leakage"],
                rows.Select(row => (string[])[row.Method, row.Site, Text(row.Elements), Text(row.Figures.Pictures),
                    Share(row.Figures.Success), Share(row.Figures.Retention), Share(row.Figures.Artefacts),
                    Share(row.Figures.ArtefactsBefore), Number(row.Figures.Leakage)]));
            Add("<h3>Success of each element, at the site that was best on the pictures for choosing</h3>\n");
            Matrix([.. best.Select(row => row.Method)], element => method => element.Steering
                .Where(row => row.Method == method && row.Task == task).MaxBy(row => row.Chosen ?? 0)?.Figures.Success);
        }
    }

    private void Examples()
    {
        var drawn = _report.Elements.Where(one => one.Sheet is not null).ToArray();
        if (drawn.Length == 0)
            return;
        Add($"<h2>Examples</h2>\n<p>The first picture of each element. The upper row is painted, the lower one removed. From left to "
            + $"right: "
            + $"plain, {Safe(string.Join(", ", SteeringMethod.Names))}; where a method cannot do it, the plain picture again.</p>\n");
        foreach (var one in drawn)
            Add($"<figure><figcaption>{Safe(one.Element)}</figcaption><img alt=\"{Safe(one.Element)}, painted and removed by each method\" "
                + $"src=\"data:image/jpeg;base64,{Convert.ToBase64String(_file(one.Sheet!))}\"></figure>\n");
    }

    private void Definitions()
    {
        Add("<h2>Definitions</h2>\n<dl>\n");
        foreach (var (name, text) in EvaluationDefinitions.Of(_report.Judge))
            Add($"<dt>{Safe(name)}</dt><dd>{Safe(text)}</dd>\n");
        Add("</dl>\n");
    }

    private void Matrix(IReadOnlyList<string> methods, Func<ElementFigures, Func<string, double?>> value)
    {
        Add($"<div class=\"wide\"><table>\n<thead><tr><th>element</th>{Cells("th", methods)}</tr></thead>\n<tbody>\n");
        foreach (var element in _report.Elements)
        {
            Add($"<tr><td>{Safe(element.Element)}</td>");
            foreach (var one in methods.Select(value(element)))
                Add(one is { } known
                    ? $"<td style=\"background:hsl(215 85% "
                        + $"{Number(100 - (Math.Clamp(known, 0, 1) * 35), "F0")}%)\">{Number(known, "F2")}</td>"
                    : "<td></td>");
            Add("</tr>\n");
        }
        Add("</tbody></table></div>\n");
    }

    private void Table(string[] head, IEnumerable<string[]> rows)
    {
        Add($"<div class=\"wide\"><table>\n<thead><tr>{Cells("th", head)}</tr></thead>\n<tbody>\n");
        foreach (var row in rows)
            Add($"<tr{(row.Contains(SteeringTotal.Best) ? " class=\"best\"" : "")}>{Cells("td", row)}</tr>\n");
        Add("</tbody></table></div>\n");
    }

    private void Add(string html) => _html.Append(html);

    private static string Cells(string tag, IEnumerable<string> texts) =>
        string.Concat(texts.Select(text => $"<{tag}>{Safe(text)}</{tag}>"));

    private static string Safe(string text) => SecurityElement.Escape(text);

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Number(double? number, string format = "F3") => number?.ToString(format, CultureInfo.InvariantCulture) ?? "";

    private static string Share(double? share) => share?.ToString("0.0 %", CultureInfo.InvariantCulture) ?? "";
}

/// <summary>What the columns of a report mean.</summary>
internal static class EvaluationDefinitions
{
    public static IEnumerable<(string Name, string Text)> Of(JudgeDescription? judge)
    {
        yield return ("Explained variance (pooled)", "1 - sum |x - x̂|² / sum |x - mean(x)|², all channels pooled. FVU is 1 less this.");
        yield return ("Explained variance (per channel)", "1 - var(x - x̂) / var(x) of each channel, averaged over channels.");
        yield return ("L0, dead features", "Mean number of active features in a cell; share of features that are active in no cell.");
        yield return ("PSNR", "Peak signal-to-noise ratio of the 8-bit pictures against the plain ones, mean over pictures that differ.");
        yield return ("Match", "Each feature of the smaller dictionary is paired with one of the other so that the sum of cosines is "
            + "largest.");
        yield return ("Leakage", "Mean change of the pixels outside the cells / mean change inside.");
        if (judge is null)
            yield break;
        yield return ("Judge", judge.Name);
        yield return ("AUC, IoU", "Area under the ROC curve of the scores of all cells; intersection over union of the cells from a "
            + "threshold on, which is the one with the largest IoU on the pictures to choose on.");
        yield return ("Methods", "feature: the one with the largest correlation with the element's cells. concept: the five with the "
            + "largest difference of shares of all activation. difference of means: mean output of the block in the element's cells less "
            + "that in others. neuron: the output's channel with the largest correlation. replace-…: the cells that the concept finds "
            + "are replaced. prompt: the caption with or without the element, same seed.");
        yield return ("Strengths", "Feature and concept paint multiples of the mean activation, and remove by scaling with -strength; "
            + "difference of means and neuron add or subtract multiples of the difference. Of several strengths, and of all sites, the "
            + "best on the pictures for choosing count, by success * retention * (1 - artefacts).");
        yield return ("Success", judge.Success);
        yield return ("Retention", judge.Retention);
        yield return ("Artefacts", judge.Artefacts);
    }
}
