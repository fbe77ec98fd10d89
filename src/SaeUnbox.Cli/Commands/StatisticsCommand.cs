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
        var self = new StatisticsCommand();
        return terminal.NewCommand("statistics", "Measure sparse autoencoders on collected activations.",
            [self._data, self._saes, self._variant, self._sites, self._output, self._neighbours, self._write, self._saeK.Option,
                .. self._compute.Options],
            (parsed, cancellation) => self.Run(terminal, parsed, cancellation));
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
            reports[site] = terminal.WithProgress(title, work =>
                ActivationStatistics.Measure(sae, collection, share => work.Report(share, title), cancellation));
        }
        terminal.WithProgress("comparing directions", _ => AtomicFile.Write(file, stream => StatisticsFile.Write(
            stream, [.. measured.Select(one => (one.Site, one.Sae, reports[one.Site]))], neighbours, cancellation)));
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
        Json.Write(stream, new
        {
            format = Format,
            formulas = new Dictionary<string, string>
            {
                ["explainedVariance.perChannel"] = "mean over channels of 1 - var(x - x_hat) / (var(x) + 1e-8)",
                ["explainedVariance.pooled"] = "1 - sum |x - x_hat|^2 / sum |x - mean(x)|^2",
                ["mean, std"] = "of a feature's values over the positions where they are above 0",
            },
            sites = measured.ToDictionary(one => one.Site.Code, one => new
            {
                autoencoder = one.Sae.Source,
                features = one.Sae.Features,
                k = one.Sae.K,
                width = one.Sae.Width,
                positions = one.Report.Positions,
                activePerPosition = one.Report.ActivePerPosition,
                dead = one.Report.Dead,
                explainedVariance = new
                {
                    perChannel = Finite(one.Report.ExplainedVariancePerChannel),
                    pooled = Finite(one.Report.ExplainedVariancePooled),
                },
                frequency = one.Report.Frequency.Select(share => (float)share),
                mean = one.Report.Scale.Mean,
                std = one.Report.Scale.StandardDeviation,
                neighbours = measured.Where(other => other.Sae.Width == one.Sae.Width)
                    .ToDictionary(other => other.Site.Code, other => Neighbours(one.Sae, other.Sae)),
            }),
        });

        IEnumerable<IEnumerable<object[]>> Neighbours(IFeatureDictionary of, IFeatureDictionary among)
        {
            cancellation.ThrowIfCancellationRequested();
            return CosineNeighbours.Find(of, among, neighbours)
                .Select(near => near.Select(one => new object[] { one.Feature, one.Cosine }));
        }
    }

    // JSON has no infinity or NaN, which result if activations never vary.
    private static double? Finite(double value) => double.IsFinite(value) ? value : null;
}
