using System.Globalization;
using System.Text.Json.Nodes;
using SaeUnbox.Cli.Options;
using SaeUnbox.Cli.Output;
using TorchSharp;

namespace SaeUnbox.Cli.Bench;

/// <summary>The measurements of a model's parts: a table that grows row by row, or one JSON document at the end.</summary>
/// <param name="terminal">Where it is told.</param>
/// <param name="asJson">JSON, no table.</param>
internal sealed class PartsReport(Terminal terminal, bool asJson)
{
    /// <summary>What was measured.</summary>
    public required string Model { get; init; }

    public required Dtype Dtype { get; init; }

    public required Precision Precision { get; init; }

    /// <summary>Pixels on a side; null where there is no picture.</summary>
    public int? Side { get; init; }

    public bool OnProcessorTime { get; init; }

    /// <summary>Tells the rows as they come, the last one with the end.</summary>
    public void Write(IEnumerable<Measurement> rows, CancellationToken cancellation)
    {
        if (!asJson) WriteHead();
        var told = new JsonArray();
        foreach (var row in rows)
        {
            cancellation.ThrowIfCancellationRequested();
            told.Add(Node(row));
            if (!asJson) WriteRow(row);
        }
        if (asJson) terminal.Output.WriteLine(Json.Text(Document(told)));
    }

    private void WriteHead()
    {
        var size = Side is { } side ? FormattableString.Invariant($", {side} x {side}") : "";
        terminal.Output.WriteLine(FormattableString.Invariant($"{Model}{size}, {Names.Of(Dtype)}, {Precision.Device}, {Threads.Count} threads{(OnProcessorTime ? " (processor time)" : "")}, libtorch {torch.__version__}"));
        terminal.Output.WriteLine($"{"part",-24}{"seconds",10}{"GFLOP",10}{"GFLOP/s",10}{"of product",12}{"peak",12}{"peak/size",12}");
    }

    private void WriteRow(Measurement row)
    {
        var line = string.Create(CultureInfo.InvariantCulture, $"{row.Part,-24}{row.Seconds,10:0.0000}");
        if (row.Share is { } share) line += string.Create(CultureInfo.InvariantCulture, $"{row.GigaOperations,10:0.0}{row.Rate,10:0.0}{share,12:0 %}");
        if (row.PeakBytes is { } peak) line += string.Create(CultureInfo.InvariantCulture, $"{"",32}{ByteSize.Of(peak),12}{PeakPerSize(row),12:0.000}");
        terminal.Output.WriteLine(line);
    }

    private JsonObject Document(JsonArray rows) => new()
    {
        ["model"] = Model,
        ["dtype"] = Names.Of(Dtype),
        ["device"] = Precision.Device.ToString(),
        ["threads"] = Threads.Count,
        ["clock"] = OnProcessorTime ? "processor" : "wall",
        ["size"] = Side,
        ["libtorch"] = torch.__version__,
        ["parts"] = rows,
    };

    private static JsonNode Node(Measurement row)
    {
        var node = new JsonObject
        {
            ["part"] = row.Part,
            ["seconds"] = row.Seconds,
            ["gflop"] = row.GigaOperations,
            ["gflopPerSecond"] = row.Share is null ? null : row.Rate,
            ["shareOfProduct"] = row.Share,
        };
        if (row.WeightBytes is { } size) (node["weightBytes"], node["peakBytes"], node["peakPerSize"]) = (size, row.PeakBytes, PeakPerSize(row));
        return node;
    }

    private static double? PeakPerSize(Measurement row) => row.WeightBytes > 0 ? (double?)row.PeakBytes / row.WeightBytes : null;
}
