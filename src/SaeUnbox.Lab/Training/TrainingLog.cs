using System.Globalization;
using System.Security;
using System.Text;

namespace SaeUnbox.Lab;

/// <summary>A table of steps as comma-separated values, one row a logged step.</summary>
public sealed class TrainingLog
{
    private const string Header =
        "step,reconstruction,auxiliary,total,explained_variance,norm_ratio,dead,active_per_position,learning_rate,silent_1e4,silent_1e6,silent_1e7";

    private readonly string _path;

    /// <summary>Goes on with a table, without the rows from step <paramref name="resumeAt"/> on, which will be done again.</summary>
    public TrainingLog(string path, long resumeAt = 0)
    {
        _path = path;
        var kept = File.Exists(path)
            ? File.ReadLines(path).Skip(1).TakeWhile(line => StepOf(line) is { } step && step < resumeAt).ToArray()
            : [];
        AtomicFile.WriteAllText(path, string.Concat(kept.Prepend(Header).Select(line => line + "\n")));
    }

    public void Add(StepReport report)
    {
        double[] cells =
        [
            report.Step, report.Reconstruction, report.Auxiliary, report.Total, report.ExplainedVariance, report.NormRatio, report.Dead,
            report.ActivePerPosition, report.LearningRate, report.Silent.TenThousand, report.Silent.Million, report.Silent.TenMillion,
        ];
        Files.Append(_path, string.Join(',', cells.Select(cell => cell.ToString("R", CultureInfo.InvariantCulture))) + "\n");
    }

    /// <summary>The columns by name.</summary>
    public IReadOnlyDictionary<string, double[]> Read()
    {
        var rows = File.ReadLines(_path).Skip(1)
            .Select(line => line.Split(',').Select(cell => double.Parse(cell, CultureInfo.InvariantCulture)).ToArray())
            .ToArray();
        return Header.Split(',').Select((name, column) => (name, column))
            .ToDictionary(pair => pair.name, pair => rows.Select(row => row[pair.column]).ToArray());
    }

    private static long? StepOf(string line) =>
        long.TryParse(line.Split(',')[0], NumberStyles.None, CultureInfo.InvariantCulture, out var step) ? step : null;
}

/// <summary>Draws a training's table as an SVG picture of four panels.</summary>
public static class TrainingPlot
{
    private const int PanelWidth = 420;
    private const int PanelHeight = 200;
    private const int Margin = 48;

    private static readonly (string Column, string Title)[] Panels =
    [
        ("total", "loss"), ("explained_variance", "explained variance"), ("dead", "dead features"), ("norm_ratio", "length of x_hat / x"),
    ];

    /// <summary>The picture's text; one point a logged step.</summary>
    public static string Draw(string title, IReadOnlyDictionary<string, double[]> table)
    {
        var svg = new StringBuilder();
        var (width, height) = (2 * (PanelWidth + Margin) + Margin, 2 * (PanelHeight + Margin) + Margin);
        svg.Append("<svg xmlns=\"http://www.w3.org/2000/svg\" font-family=\"sans-serif\" font-size=\"12\" ");
        svg.Append(CultureInfo.InvariantCulture, $"viewBox=\"0 0 {width} {height}\">\n");
        svg.Append("<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n");
        Text(svg, Margin, 20, title);
        for (var i = 0; i < Panels.Length; i++)
        {
            var (column, name) = Panels[i];
            Panel(svg, name, table["step"], table[column], Margin + i % 2 * (PanelWidth + Margin), Margin + i / 2 * (PanelHeight + Margin));
        }

        return svg.Append("</svg>\n").ToString();
    }

    private static void Panel(StringBuilder svg, string title, double[] steps, double[] values, int left, int top)
    {
        svg.Append(CultureInfo.InvariantCulture, $"<rect x=\"{left}\" y=\"{top}\" width=\"{PanelWidth}\" height=\"{PanelHeight}\" ");
        svg.Append("fill=\"none\" stroke=\"#bbb\"/>\n");
        Text(svg, left, top - 6, title);
        var finite = values.Where(double.IsFinite).ToArray();
        if (finite.Length == 0)
            return;
        var (low, high) = (finite.Min(), finite.Max());
        var (first, last) = (steps[0], steps[^1]);
        var (rise, run) = (high > low ? high - low : 1, last > first ? last - first : 1);
        Text(svg, left + 4, top + 14, high.ToString("G4", CultureInfo.InvariantCulture));
        Text(svg, left + 4, top + PanelHeight - 4, low.ToString("G4", CultureInfo.InvariantCulture));
        Text(svg, left + PanelWidth - 80, top + PanelHeight + 14, string.Create(CultureInfo.InvariantCulture, $"step {last:F0}"));
        svg.Append("<polyline fill=\"none\" stroke=\"#2563eb\" stroke-width=\"1.5\" points=\"");
        foreach (var (step, value) in steps.Zip(values).Where(point => double.IsFinite(point.Second)))
        {
            var x = left + (step - first) / run * PanelWidth;
            var y = top + PanelHeight - (value - low) / rise * PanelHeight;
            svg.Append(CultureInfo.InvariantCulture, $"{x:F1},{y:F1} ");
        }

        svg.Append("\"/>\n");
    }

    private static void Text(StringBuilder svg, int x, int y, string text) =>
        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{x}\" y=\"{y}\" fill=\"#444\">{SecurityElement.Escape(text)}</text>\n");
}
