using System.Globalization;
using System.Security;
using System.Text;

namespace SaeUnbox.Lab;

/// <summary>Plots as SVG text for a page.</summary>
internal static class Plots
{
    private const int Label = 170, Bar = 360, RowHeight = 22, Side = 300, Margin = 46;

    private static readonly string[] Colours = ["#1d4ed8", "#b45309", "#047857", "#be123c", "#6d28d9", "#0f766e", "#52525b"];

    /// <summary>A bar for each value; null for none.</summary>
    /// <param name="top">The value of a full bar.</param>
    public static string Bars(string title, IReadOnlyList<(string Name, double? Value)> values, double top)
    {
        var svg = Open(title, Label + Bar + 80, values.Count * RowHeight);
        foreach (var (i, (name, value)) in values.Index())
        {
            var y = i * RowHeight;
            Text(svg, Label - 8, y + 15, name, "end");
            if (value is not { } known)
                continue;
            var width = Math.Clamp(known / top, 0, 1) * Bar;
            svg.Append(CultureInfo.InvariantCulture,
                $"<rect x=\"{Label}\" y=\"{y + 3}\" width=\"{width:F1}\" height=\"{RowHeight - 6}\" fill=\"{Colours[0]}\"/>\n");
            Text(svg, Label + width + 6, y + 15, known.ToString(top > 1 ? "F1" : "F3", CultureInfo.InvariantCulture), "start");
        }
        return svg.Append("</svg>\n").ToString();
    }

    /// <summary>Points between 0 and 1 on both axes, each with its name in a legend.</summary>
    public static string Points(string title, string across, string up, IReadOnlyList<(string Name, double X, double Y)> points)
    {
        var svg = Open(title, Margin + Side + 220, Side + Margin + 10);
        svg.Append(CultureInfo.InvariantCulture,
            $"<rect x=\"{Margin}\" y=\"6\" width=\"{Side}\" height=\"{Side}\" fill=\"none\" stroke=\"#999\"/>\n");
        foreach (var share in (double[])[0, .25, .5, .75, 1])
        {
            Text(svg, Margin + (share * Side), Side + 22, share.ToString("0.##", CultureInfo.InvariantCulture), "middle");
            Text(svg, Margin - 6, 10 + ((1 - share) * Side), share.ToString("0.##", CultureInfo.InvariantCulture), "end");
        }
        Text(svg, Margin + (Side / 2), Side + 42, across, "middle");
        svg.Append(CultureInfo.InvariantCulture,
            $"<g transform=\"translate(12 {6 + (Side / 2)}) rotate(-90)\"><text "
            + $"text-anchor=\"middle\">{SecurityElement.Escape(up)}</text></g>\n");
        foreach (var (i, (name, x, y)) in points.Index())
        {
            var colour = Colours[i % Colours.Length];
            Dot(svg, Margin + (x * Side), 6 + ((1 - y) * Side), colour);
            Dot(svg, Margin + Side + 24, 16 + (i * RowHeight), colour);
            Text(svg, Margin + Side + 36, 20 + (i * RowHeight), name, "start");
        }
        return svg.Append("</svg>\n").ToString();
    }

    private static StringBuilder Open(string title, int width, int height) => new StringBuilder().Append(CultureInfo.InvariantCulture,
        $"<svg role=\"img\" aria-label=\"{SecurityElement.Escape(title)}\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" "
        + $"font-size=\"13\">\n");

    private static void Dot(StringBuilder svg, double x, double y, string colour) =>
        svg.Append(CultureInfo.InvariantCulture, $"<circle cx=\"{x:F1}\" cy=\"{y:F1}\" r=\"6\" fill=\"{colour}\" fill-opacity=\".85\"/>\n");

    private static void Text(StringBuilder svg, double x, double y, string text, string anchor) => svg.Append(CultureInfo.InvariantCulture,
        $"<text x=\"{x:F1}\" y=\"{y:F1}\" text-anchor=\"{anchor}\">{SecurityElement.Escape(text)}</text>\n");
}
