namespace SaeUnbox.Cli.Bench;

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
