using System.Globalization;
using System.Text;

namespace SaeUnbox.Cli.Serving;

internal static class ServingTable
{
    public static string Of(IEnumerable<ServingFigures> figures)
    {
        var text = new StringBuilder("canvases   jobs/s   p50 ms   p95 ms   p99 ms   frames/s each   busy\n");
        foreach (var line in figures)
            text.Append(CultureInfo.InvariantCulture,
                $"{line.Canvases,8} {line.JobsPerSecond,8:0.0} {line.P50,8:0} {line.P95,8:0} {line.P99,8:0} {line.FramesPerSecond,15:0.0} {line.Busy,6:0 %}\n");
        return text.ToString();
    }
}
