using System.CommandLine;
using System.Globalization;
using System.Text;
using SaeUnbox.Cli.Options;
using SaeUnbox.Cli.Output;
using SaeUnbox.Mini.Evaluation;

namespace SaeUnbox.Cli.Commands;

/// <summary><c>evaluate-mini</c>: what a trained unbox-mini can do, in figures.</summary>
internal static class EvaluateMiniCommand
{
    public static Command Create(Terminal terminal)
    {
        var defaults = new MiniEvaluationOptions();
        var model = new Option<string>("--model") { Description = "The model's folder.", HelpName = "DIR", Required = true };
        var saes = new Option<string>("--saes") { Description = "The folder of its sparse autoencoders.", HelpName = "DIR", Required = true };
        var pictures = new Option<int>("--pictures") { Description = "Held-out captions and seeds.", HelpName = "N", DefaultValueFactory = _ => defaults.Pictures };
        var scenes = new Option<int>("--scenes") { Description = "Scenes into which each element is painted, and out of which it is taken.", HelpName = "N", DefaultValueFactory = _ => defaults.Scenes };
        var elements = new Option<string[]>("--element") { Description = "Paint and take out only this, such as snow; may be given several times.", HelpName = "NAME" };
        var strength = new Option<double>("--strength") { Description = "Strength of painting, 5 to 15.", HelpName = "X", DefaultValueFactory = _ => defaults.Strength };
        var seed = new Option<int>("--seed") { Description = "The seed of all that is random.", HelpName = "N", DefaultValueFactory = _ => defaults.Seed };
        var names = new Option<string?>("--names") { Description = "Also write the features' names, for saeunbox atlas.", HelpName = "FILE" };
        var suggestions = new Option<string?>("--suggestions") { Description = "Also write what is worth trying, by these figures, for saeunbox atlas.", HelpName = "FILE" };
        var device = new DeviceArgument();
        var json = new Option<bool>("--json") { Description = "Print everything as JSON." };
        var command = new Command("evaluate-mini", "Measure a trained unbox-mini: pictures, obedience, autoencoders, steering.") { model, saes, pictures, scenes, elements, strength, seed, names, suggestions };
        device.AddTo(command);
        command.Add(json);
        command.SetGuardedAction(terminal, (parsed, cancellation) =>
        {
            var options = new MiniEvaluationOptions
            {
                Pictures = Whole.AtLeast(1, "--pictures", parsed.GetValue(pictures)), Scenes = Whole.AtLeast(1, "--scenes", parsed.GetValue(scenes)),
                Elements = parsed.GetValue(elements) is { Length: > 0 } named ? [.. named.Select(name => Word.Among("--element", name, MiniEvaluation.Elements))] : null, Seed = parsed.GetValue(seed), Strength = parsed.GetValue(strength) is var x and >= 5 and <= 15 ? x : throw new CliException("--strength: use 5 to 15."),
            };
            foreach (var written in (Option<string?>[])[names, suggestions])
                if (parsed.GetValue(written) is { } file) OutputFile.Require(file, written.Name);
            var place = device.Read(parsed);
            var report = terminal.WithProgress("evaluating", bar => MiniEvaluation.Run(parsed.GetRequiredValue(model), parsed.GetRequiredValue(saes), options, new EvaluationReporter(terminal, bar), place, cancellation));
            if (parsed.GetValue(names) is { } namesFile) MiniFindings.WriteNames(report, namesFile);
            if (parsed.GetValue(suggestions) is { } triesFile) MiniFindings.WriteSuggestions(report, triesFile);
            terminal.Output.Write(parsed.GetValue(json) ? MiniFindings.ToJson(report) + Environment.NewLine : Text(report));
        });
        return command;
    }

    private static string Text(MiniEvaluationReport report)
    {
        var text = new StringBuilder();
        Line($"pictures   latent error {report.Pictures.LatentError:0.0000}, PSNR {report.Pictures.Psnr:0.00} dB (truth through the autoencoder: {report.Pictures.AutoencoderPsnr:0.00} dB)");
        foreach (var figures in report.Obedience)
            Line($"obedience  {figures.Attribute,-8} {figures.NamedObeyed,6:P1} of {figures.Named} named, {figures.Obeyed,6:P1} of all {figures.Asked} (probe: right on truth {figures.ProbeOnTruth:P1}, on other scenes {figures.ProbeOnOthers:P1})");
        foreach (var figures in report.Sites)
            Line($"site       {figures.Site,-8} explained variance {figures.ExplainedVariance:0.000} (per channel {figures.ExplainedVariancePerChannel:0.000}), dead {figures.DeadShare:P1}");
        foreach (var figures in report.Steering)
            Line($"steering   {figures.Element,-9} {figures.Site,-8} feature {figures.Feature,4} (r {figures.Correlation:0.00}): painted {figures.Painted,6:P0} (before {figures.Before:P0}, outside/inside {figures.PaintedOutside:0.000}), removed {figures.Removed,6:P0} of {figures.Present} (outside/inside {figures.RemovedOutside:0.000})");
        return text.ToString();

        void Line(FormattableString line) => text.AppendLine(line.ToString(CultureInfo.InvariantCulture));
    }
}
