using System.Text.Encodings.Web;
using System.Text.Json;

namespace SaeUnbox.Cli.Commands;

/// <summary><c>statistics</c>: measures autoencoders on collected activations, and finds similar features.</summary>
internal sealed class StatisticsCommand
{
    private readonly Option<string?> _data = Setting.Required<string?>("--data", "DIR", "Folder that saeunbox collect filled.");
    private readonly Option<string> _saes =
        Setting.Required<string>("--saes", "DIR", "Folder of sparse autoencoders, in any of the layouts of docs/dictionaries.md.");
    private readonly Option<string?> _variant = Setting.Of<string?>("--sae-variant", "NAME",
        "Which autoencoders to use if a site has several, such as k20_hidden5120.");
    private readonly SaeKArgument _saeK = new();
    private readonly Option<string[]> _sites = Setting.Of<string[]>("--site", "SITE",
        "A site; may be repeated (default: all with an autoencoder).");
    private readonly Option<string> _output = Setting.Output("FILE", "The JSON file to write.");
    private readonly Option<int> _neighbours = Setting.Of("--neighbours", "N",
        "Similar features to list for each feature, in its own site and in every other.", 5);
    private readonly Option<bool> _write = Setting.Switch("--write-scale",
        "Also write mean.pt and std.pt next to each autoencoder; painting needs them.");
    private readonly ComputeArguments _compute = new();

    public static Command Create(Terminal terminal)
    {
        var options = new StatisticsCommand();
        var command = new Command("statistics", "Measure sparse autoencoders on collected activations.");
        command.Add(options._data, options._saes, options._variant, options._sites, options._output, options._neighbours, options._write);
        options._saeK.AddTo(command);
        options._compute.AddTo(command);
        command.SetGuardedAction(terminal, (parsed, cancellation) => options.Run(terminal, parsed, cancellation));
        return command;
    }

    private void Run(Terminal terminal, ParseResult parsed, CancellationToken cancellation)
    {
        var (data, file) = (InputFolder.Read(parsed, _data)!, parsed.GetRequiredValue(_output));
        OutputFile.Require(file, "--out");
        var neighbours = Require.AtLeast(0, "--neighbours", parsed.GetValue(_neighbours));
        var named = SiteArgument.Read(parsed, _sites);
        using var set = OnDevice.LoadAutoencoders(parsed.GetRequiredValue(_saes), _compute.Apply(parsed), parsed.GetValue(_variant),
            _saeK.Read(parsed));
        var measured = (named.Length > 0 ? named : set.Keys)
            .Select(site => (Site: site, Sae: set[site], Data: ActivationCollection.Open(data, site))).ToArray();
        if (parsed.GetValue(_write))
            foreach (var (_, sae, _) in measured)
                OutputFile.RequireFolder(File.Exists(sae.Source) ? Path.GetDirectoryName(sae.Source)! : sae.Source, "--write-scale");

        var reports = new Dictionary<Site, StatisticsReport>();
        foreach (var (site, sae, collection) in measured)
        {
            var title = $"measuring {site}";
            reports[site] = terminal.WithProgress(title, bar =>
                ActivationStatistics.Measure(sae, collection, new ShareProgress(new LongWork(terminal, bar), title), cancellation));
        }
        terminal.WithProgress("comparing directions", _ =>
        {
            AtomicFile.Write(file, stream => StatisticsFile.Write(
                stream, [.. measured.Select(one => (one.Site, one.Sae, reports[one.Site]))], neighbours, cancellation));
            return true;
        });
        foreach (var (site, sae, _) in measured)
        {
            var report = reports[site];
            if (parsed.GetValue(_write))
                SaeWriter.SaveScale(report.Scale, sae.Source);
            terminal.Output.WriteLine(Summary(site.Code, report)
                + string.Create(CultureInfo.InvariantCulture, $", {report.Positions} positions"));
        }
    }

    /// <summary>One line about an autoencoder.</summary>
    public static string Summary(string name, StatisticsReport report) => string.Create(CultureInfo.InvariantCulture,
        $"{name}: explained variance {report.ExplainedVariancePerChannel:0.0000} (per channel), "
        + $"{report.ExplainedVariancePooled:0.0000} (pooled), {report.Dead} dead of {report.Frequency.Count}");
}

/// <summary>Writes the JSON of <c>statistics</c>. Lists are indexed by feature; a neighbour is [feature, cosine].</summary>
internal static class StatisticsFile
{
    private const string Format = "saeunbox.statistics/1";

    public static void Write(
        Stream stream, IReadOnlyList<(Site Site, IFeatureDictionary Sae, StatisticsReport Report)> measured, int neighbours,
        CancellationToken cancellation)
    {
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        json.WriteStartObject();
        json.WriteString("format", Format);
        json.WriteStartObject("formulas");
        json.WriteString("explainedVariance.perChannel", "mean over channels of 1 - var(x - x_hat) / (var(x) + 1e-8)");
        json.WriteString("explainedVariance.pooled", "1 - sum |x - x_hat|^2 / sum |x - mean(x)|^2");
        json.WriteString("mean, std", "of a feature's values over the positions where they are above 0");
        json.WriteEndObject();
        json.WriteStartObject("sites");
        foreach (var (site, sae, report) in measured)
        {
            json.WriteStartObject(site.Code);
            WriteReport(json, sae, report);
            json.WriteStartObject("neighbours");
            foreach (var other in measured.Where(other => other.Sae.Width == sae.Width))
            {
                cancellation.ThrowIfCancellationRequested();
                json.WriteStartArray(other.Site.Code);
                foreach (var near in CosineNeighbours.Find(sae, other.Sae, neighbours))
                    WriteNeighbours(json, near);
                json.WriteEndArray();
            }
            json.WriteEndObject();
            json.WriteEndObject();
        }
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteReport(Utf8JsonWriter json, IFeatureDictionary sae, StatisticsReport report)
    {
        json.WriteString("autoencoder", sae.Source);
        json.WriteNumber("features", sae.Features);
        json.WriteNumber("k", sae.K);
        json.WriteNumber("width", sae.Width);
        json.WriteNumber("positions", report.Positions);
        json.WriteNumber("activePerPosition", report.ActivePerPosition);
        json.WriteNumber("dead", report.Dead);
        json.WriteStartObject("explainedVariance");
        WriteNumber(json, "perChannel", report.ExplainedVariancePerChannel);
        WriteNumber(json, "pooled", report.ExplainedVariancePooled);
        json.WriteEndObject();
        WriteList(json, "frequency", report.Frequency);
        WriteList(json, "mean", report.Scale.Mean.Select(value => (double)value));
        WriteList(json, "std", report.Scale.StandardDeviation!.Select(value => (double)value));
    }

    // JSON has no infinity or NaN, which result if activations never vary.
    private static void WriteNumber(Utf8JsonWriter json, string name, double value)
    {
        if (double.IsFinite(value))
            json.WriteNumber(name, value);
        else
            json.WriteNull(name);
    }

    private static void WriteList(Utf8JsonWriter json, string name, IEnumerable<double> values)
    {
        json.WriteStartArray(name);
        foreach (var value in values)
            json.WriteNumberValue((float)value);
        json.WriteEndArray();
    }

    private static void WriteNeighbours(Utf8JsonWriter json, IReadOnlyList<Neighbour> near)
    {
        json.WriteStartArray();
        foreach (var (feature, cosine) in near)
        {
            json.WriteStartArray();
            json.WriteNumberValue(feature);
            json.WriteNumberValue(cosine);
            json.WriteEndArray();
        }
        json.WriteEndArray();
    }
}
