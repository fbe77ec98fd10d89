using System.Globalization;
using System.Text;

namespace SaeUnbox.Cli.Serving;

internal static class ServingTable
{
    private const string Head = "canvases   jobs/s   p50 ms   p95 ms   p99 ms   frames/s each   busy";

    public static string Of(IEnumerable<ServingFigures> figures) => Lines(Head, figures.Select(Line));

    /// <summary>A table for several numbers of devices.</summary>
    public static string Of(IEnumerable<(int Workers, ServingFigures Figures)> sizes) =>
        Lines($" workers {Head}", sizes.Select(size => string.Create(CultureInfo.InvariantCulture, $"{size.Workers,8} {Line(size.Figures)}")));

    private static string Lines(string head, IEnumerable<string> lines) => new StringBuilder().AppendLine(head).AppendJoin('\n', lines).AppendLine().ToString();

    private static string Line(ServingFigures line) => string.Create(CultureInfo.InvariantCulture,
        $"{line.Canvases,8} {line.JobsPerSecond,8:0.0} {line.P50,8:0} {line.P95,8:0} {line.P99,8:0} {line.FramesPerSecond,15:0.0} {line.Busy,6:0 %}");
}
