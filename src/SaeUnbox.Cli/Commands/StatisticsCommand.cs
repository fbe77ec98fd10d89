using System.CommandLine;
using System.Globalization;
using SaeUnbox.Cli.Options;
using SaeUnbox.Cli.Output;

namespace SaeUnbox.Cli.Commands;

/// <summary><c>statistics</c>: how autoencoders do on collected activations, and which of their features are alike.</summary>
internal sealed class StatisticsCommand
{
    private readonly Option<string> data = new("--data") { Description = "What collect filled.", HelpName = "DIR", Required = true };
    private readonly Option<string> saes = new("--saes") { Description = "Folder of sparse autoencoders as published.", HelpName = "DIR", Required = true };
    private readonly Option<string?> variant = new("--sae-variant") { Description = "Which of a site's autoencoders, such as k20_hidden5120.", HelpName = "NAME" };
    private readonly Option<string[]> sites = new("--site") { Description = "A site; may be given several times (default: every autoencoder's).", HelpName = "SITE" };
    private readonly Option<string> output = new("--out", "-o") { Description = "The JSON file to write.", HelpName = "FILE", Required = true };
    private readonly Option<int> neighbours = new("--neighbours") { Description = "Features alike that are listed for each, within its site and in each other.", HelpName = "N", DefaultValueFactory = _ => 5 };
    private readonly Option<bool> write = new("--write-scale") { Description = "Also write mean.pt and std.pt beside each autoencoder; painting needs them." };
    private readonly ComputeArguments compute = new();

    public static Command Create(Terminal terminal)
    {
        var options = new StatisticsCommand();
        var command = new Command("statistics", "Measure sparse autoencoders on collected activations.");
        foreach (var option in (Option[])[options.data, options.saes, options.variant, options.sites, options.output, options.neighbours, options.write]) command.Add(option);
        options.compute.AddTo(command);
        command.SetGuardedAction(terminal, (parsed, cancellation) => options.Run(terminal, parsed, cancellation));
        return command;
    }

    private void Run(Terminal terminal, ParseResult parsed, CancellationToken cancellation)
    {
        var (from, file) = (parsed.GetRequiredValue(data), parsed.GetRequiredValue(output));
        if (!Directory.Exists(from)) throw new CliException($"--data {Line.Quote(from)}: there is no such folder.");
        OutputFile.Require(file, "--out");
        var count = parsed.GetValue(neighbours) is >= 0 and var near ? near : throw new CliException($"--neighbours {parsed.GetValue(neighbours)}: use 0 or more.");
        var named = (parsed.GetValue(sites) ?? []).Select(code => SiteArgument.Parse("--site", code)).Distinct().ToArray();
        using var set = SaeSet.Load(parsed.GetRequiredValue(saes), compute.Apply(parsed), parsed.GetValue(variant));
        var measured = (named.Length > 0 ? named : set.Keys).Select(site => (Site: site, Sae: set[site], Data: ActivationCollection.Open(from, site))).ToArray();
        if (parsed.GetValue(write))
            foreach (var (_, sae, _) in measured) OutputFile.RequireFolder(sae.Source, "--write-scale");

        var reports = new Dictionary<HookSite, StatisticsReport>();
        foreach (var (site, sae, collection) in measured)
        {
            var title = $"measuring {site}";
            reports[site] = terminal.WithProgress(title, bar => ActivationStatistics.Measure(sae, collection, new Share(new LongWork(terminal, bar), title), cancellation));
        }
        terminal.WithProgress("comparing directions", _ =>
        {
            AtomicFile.Write(file, stream => StatisticsFile.Write(stream, [.. measured.Select(one => (one.Site, one.Sae, reports[one.Site]))], count, cancellation));
            return true;
        });
        foreach (var (site, sae, _) in measured)
        {
            var report = reports[site];
            if (parsed.GetValue(write)) SaeWriter.SaveScale(report.Scale, sae.Source);
            terminal.Output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{site}: explained variance {report.ExplainedVariancePerChannel:0.0000} (per channel), {report.ExplainedVariancePooled:0.0000} (pooled), {report.Dead} dead of {report.Frequency.Count}, {report.Positions} positions"));
        }
    }
}
