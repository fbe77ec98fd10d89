namespace SaeUnbox.Cli.Bench;

/// <summary>Prints the times of a model's parts: a table that grows row by row, or one JSON document at the end.</summary>
/// <param name="side">Sides of the picture in pixels; null if there is no picture.</param>
internal sealed class PartsReport(Terminal terminal, BenchmarkSettings settings, int? side, bool asJson)
{
    public void Write(PartsBenchmark benchmark, CancellationToken cancellation)
    {
        if (Run(benchmark, cancellation) is { } document)
            terminal.Output.WriteLine(Json.Text(document));
    }

    /// <summary>Prints the tables of several formats below each other, or one JSON array.</summary>
    public static void WriteAll(IEnumerable<PartsReport> formats, PartsBenchmark benchmark, Terminal terminal,
        CancellationToken cancellation)
    {
        var documents = formats.Select(report => report.Run(benchmark, cancellation)).OfType<JsonNode>().ToArray();
        if (documents.Length > 0)
            terminal.Output.WriteLine(Json.Text(new JsonArray(documents)));
    }

    private JsonObject? Run(PartsBenchmark benchmark, CancellationToken cancellation)
    {
        if (!asJson)
            WriteHead(benchmark.Name);
        var rows = new JsonArray();
        benchmark.Run(settings, row =>
        {
            rows.Add(Node(row));
            if (!asJson)
                WriteRow(row);
        }, cancellation);
        return asJson ? Document(benchmark.Name, rows) : null;
    }

    private void WriteHead(string name)
    {
        var size = side is { } pixels ? FormattableString.Invariant($", {pixels} x {pixels}") : "";
        var threads = $"{Threads.Count} threads{(settings.OnProcessorTime ? " (processor time)" : "")}";
        terminal.Output.WriteLine(FormattableString.Invariant(
            $"{name}{size}, {Names.Of(settings.Dtype)}, {settings.Device}, {threads}, libtorch {PartsBenchmark.LibtorchVersion}"));
        terminal.Output.WriteLine($"{"part",-24}{"seconds",10}{"GFLOP",10}{"GFLOP/s",10}{"of product",12}{"peak",12}{"peak/size",12}"
            + (settings.Reference is null ? "" : $"{"difference",12}"));
    }

    private void WriteRow(Measurement row)
    {
        var line = string.Create(CultureInfo.InvariantCulture, $"{row.Part,-24}{row.Seconds,10:0.0000}");
        if (row.Share is { } share)
            line += string.Create(CultureInfo.InvariantCulture, $"{row.GigaOperations,10:0.0}{row.Rate,10:0.0}{share,12:0 %}");
        if (row.PeakBytes is { } peak)
            line += string.Create(CultureInfo.InvariantCulture, $"{"",32}{ByteSize.Of(peak),12}{PeakPerSize(row),12:0.000}");
        if (row.Difference is { } difference)
            line += string.Create(CultureInfo.InvariantCulture, $"{"",24}{difference,12:0.00 %}");
        terminal.Output.WriteLine(line);
    }

    private JsonObject Document(string name, JsonArray rows) => new()
    {
        ["model"] = name,
        ["dtype"] = Names.Of(settings.Dtype),
        ["device"] = settings.Device,
        ["threads"] = Threads.Count,
        ["clock"] = settings.OnProcessorTime ? "processor" : "wall",
        ["size"] = side,
        ["libtorch"] = PartsBenchmark.LibtorchVersion,
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
        if (row.Difference is { } difference)
            node["difference"] = difference;
        if (row.WeightBytes is { } size)
            (node["weightBytes"], node["peakBytes"], node["peakPerSize"]) = (size, row.PeakBytes, PeakPerSize(row));
        return node;
    }

    private static double? PeakPerSize(Measurement row) => row.WeightBytes > 0 ? (double?)row.PeakBytes / row.WeightBytes : null;
}

/// <summary>Prints the latencies of whole runs and edits: a table that grows row by row, or one JSON document at the end.</summary>
internal static class RunsReport
{
    /// <param name="repeats">Runs of each row.</param>
    public static void Write(Terminal terminal, string model, int repeats, IEnumerable<Latency> rows, bool asJson)
    {
        if (asJson)
        {
            var milliseconds = rows.Select(row => new { what = row.What, p50 = row.Median, p95 = row.P95 });
            terminal.Output.WriteLine(Json.Text(new { model, runs = repeats, milliseconds }));
            return;
        }
        terminal.Output.WriteLine($"{"milliseconds",-24}{"p50",10}{"p95",10}");
        foreach (var row in rows)
            terminal.Output.WriteLine(
                string.Create(CultureInfo.InvariantCulture, $"{row.What,-24}{row.Median,10:0.0}{row.P95,10:0.0}"));
    }
}

/// <summary>Prints how a model is loaded.</summary>
internal static class LoadingReport
{
    public static void Write(Terminal terminal, LoadingFigures figures, bool asJson)
    {
        var time = figures.Load.Seconds / figures.Read.Seconds;
        // Weights that fit into memory the process already had do not show.
        var memory = figures.WeightBytes > 0 ? (double?)figures.PeakBytes / figures.WeightBytes : null;
        if (asJson)
            terminal.Output.WriteLine(Json.Text(new JsonObject
            {
                ["fileBytes"] = figures.FileBytes,
                ["readSeconds"] = figures.Read.Seconds,
                ["readProcessorSeconds"] = figures.Read.ProcessorSeconds,
                ["loadSeconds"] = figures.Load.Seconds,
                ["loadProcessorSeconds"] = figures.Load.ProcessorSeconds,
                ["loadPerRead"] = time,
                ["weightBytes"] = figures.WeightBytes,
                ["peakBytes"] = figures.PeakBytes,
                ["peakPerSize"] = memory,
            }));
        else
        {
            terminal.Output.WriteLine(Line.Of(
                $"read: {figures.FileBytes / 1e6:0.0} MB in {figures.Read.Seconds:0.00} s ({figures.Read.ProcessorSeconds:0.00} s of "
                + $"processor time); load: {figures.Load.Seconds:0.00} s ({figures.Load.ProcessorSeconds:0.00}), {time:0.00} times that"));
            if (memory is { } ratio)
                terminal.Output.WriteLine(Line.Of(
                    $"weights: {figures.WeightBytes / 1e6:0.0} MB; peak: {figures.PeakBytes / 1e6:0.0} MB, {ratio:0.00} times that"));
        }
    }
}

/// <summary>Prints how fast the lab works.</summary>
internal static class LabReport
{
    public static void Write(Terminal terminal, IReadOnlyList<LabFigures> rows, bool asJson)
    {
        if (asJson)
            terminal.Output.WriteLine(Json.Text(rows));
        else
            foreach (var row in rows)
                terminal.Output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"{row.What}: {row.PerSecond:0.00} {row.Unit} a second ({row.Count} in {row.Seconds:0.00} s, "
                    + $"{row.ProcessorSeconds:0.00} s of processor time), at most {row.PeakBytes / 1e6:0} MB of memory"));
    }
}

/// <summary>Prints number formats beside each other: a table that grows row by row, or one JSON document at the end.</summary>
internal static class FormatReport
{
    public static void Write(Terminal terminal, string model, int pictures, IEnumerable<FormatFigures> rows, bool asJson)
    {
        if (asJson)
        {
            terminal.Output.WriteLine(Json.Text(new { model, pictures, formats = rows.Select(Node) }));
            return;
        }
        terminal.Output.WriteLine($"{model}, {pictures} pictures, milliseconds (p50); pictures and features compared with fp32");
        terminal.Output.WriteLine(
            $"{"",-6}{"whole run",11}{"edit",9}{"peak",11}{"PSNR",10}{"worst",10}{"top 10 alike",14}{"explained",11}");
        foreach (var row in rows)
            terminal.Output.WriteLine(Text(row));
    }

    private static string Text(FormatFigures row)
    {
        var line = string.Create(CultureInfo.InvariantCulture,
            $"{Names.Of(row.Format),-6}{row.WholeRun.Median,11:0.0}{row.Edit?.Median,9:0.0}")
            + $"{(row.PeakBytes is { } peak ? ByteSize.Of(peak) : ""),11}"
            + (double.IsFinite(row.Psnr)
                ? string.Create(CultureInfo.InvariantCulture, $"{row.Psnr,7:0.0} dB{row.WorstPsnr,7:0.0} dB")
                : $"{"same",10}{"same",10}");
        return row.Sites.Count == 0 ? line : line + string.Create(CultureInfo.InvariantCulture,
            $"{row.Sites.Min(site => site.SameTop),14:0.0 %}{row.Sites.Average(site => site.Explained),11:0.0000}");
    }

    private static object Node(FormatFigures row) => new
    {
        format = Names.Of(row.Format),
        wholeRunMilliseconds = row.WholeRun.Median,
        editMilliseconds = row.Edit?.Median,
        peakBytes = row.PeakBytes,
        psnr = double.IsFinite(row.Psnr) ? row.Psnr : (double?)null,
        worstPsnr = double.IsFinite(row.WorstPsnr) ? row.WorstPsnr : (double?)null,
        sites = row.Sites.Select(site => new { site = site.Site, explainedVariance = site.Explained, topFeaturesAlike = site.SameTop }),
    };
}
