using System.Globalization;
using System.Security;
using System.Text;

namespace SaeUnbox.Sae.Training;

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
        svg.Append(CultureInfo.InvariantCulture, $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n");
        svg.Append(CultureInfo.InvariantCulture, $"<rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n");
        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{Margin}\" y=\"20\" font-size=\"14\">{SecurityElement.Escape(title)}</text>\n");
        for (var i = 0; i < Panels.Length; i++)
        {
            var (column, name) = Panels[i];
            Panel(svg, name, table["step"], table[column], Margin + i % 2 * (PanelWidth + Margin), Margin + i / 2 * (PanelHeight + Margin));
        }

        return svg.Append("</svg>\n").ToString();
    }

    private static void Panel(StringBuilder svg, string title, double[] steps, double[] values, int left, int top)
    {
        svg.Append(CultureInfo.InvariantCulture, $"<rect x=\"{left}\" y=\"{top}\" width=\"{PanelWidth}\" height=\"{PanelHeight}\" fill=\"none\" stroke=\"#bbb\"/>\n");
        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{left}\" y=\"{top - 6}\">{title}</text>\n");
        var finite = values.Where(double.IsFinite).ToArray();
        if (finite.Length == 0)
            return;
        var (low, high) = (finite.Min(), finite.Max());
        var (first, last) = (steps[0], steps[^1]);
        var (rise, run) = (high > low ? high - low : 1, last > first ? last - first : 1);
        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{left + 4}\" y=\"{top + 14}\" fill=\"#666\">{high:G4}</text>\n");
        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{left + 4}\" y=\"{top + PanelHeight - 4}\" fill=\"#666\">{low:G4}</text>\n");
        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{left + PanelWidth}\" y=\"{top + PanelHeight + 14}\" text-anchor=\"end\" fill=\"#666\">step {last:F0}</text>\n");
        svg.Append("<polyline fill=\"none\" stroke=\"#2563eb\" stroke-width=\"1.5\" points=\"");
        foreach (var (step, value) in steps.Zip(values).Where(point => double.IsFinite(point.Second)))
        {
            var x = left + (step - first) / run * PanelWidth;
            var y = top + PanelHeight - (value - low) / rise * PanelHeight;
            svg.Append(CultureInfo.InvariantCulture, $"{x:F1},{y:F1} ");
        }

        svg.Append("\"/>\n");
    }
}
