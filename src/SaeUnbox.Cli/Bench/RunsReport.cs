using System.Globalization;
using System.Text.Json.Nodes;
using SaeUnbox.Cli.Output;

namespace SaeUnbox.Cli.Bench;

/// <summary>The latencies of whole runs and edits: a table that grows row by row, or one JSON document at the end.</summary>
internal static class RunsReport
{
    /// <param name="model">The model's name.</param>
    /// <param name="repeats">Runs of each row.</param>
    public static void Write(Terminal terminal, string model, int repeats, IEnumerable<Latency> rows, bool asJson)
    {
        var told = new JsonArray();
        if (!asJson) terminal.Output.WriteLine($"{"milliseconds",-24}{"p50",10}{"p95",10}");
        foreach (var row in rows)
        {
            told.Add(new JsonObject { ["what"] = row.What, ["p50"] = row.Median, ["p95"] = row.P95 });
            if (!asJson) terminal.Output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{row.What,-24}{row.Median,10:0.0}{row.P95,10:0.0}"));
        }
        if (asJson) terminal.Output.WriteLine(Json.Text(new JsonObject { ["model"] = model, ["runs"] = repeats, ["milliseconds"] = told }));
    }
}
