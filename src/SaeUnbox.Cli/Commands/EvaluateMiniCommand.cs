using System.CommandLine;
using System.Globalization;
using System.Text;
using SaeUnbox.Cli.Options;
using SaeUnbox.Cli.Output;
using SaeUnbox.Mini.Evaluation;

namespace SaeUnbox.Cli.Commands;

/// <summary><c>evaluate-mini</c>: measures a trained unbox-mini.</summary>
internal static class EvaluateMiniCommand
{
    public static Command Create(Terminal terminal)
    {
        var defaults = new MiniEvaluationOptions();
        var model = Setting.Required<string>("--model", "DIR", "Folder of the model.");
        var saes = Setting.Required<string>("--saes", "DIR", "Folder of its sparse autoencoders.");
        var pictures = Setting.Of("--pictures", "N", "Captions and seeds to evaluate, none of which were trained on.", defaults.Pictures);
        var scenes = Setting.Of("--scenes", "N", "Scenes in which each element is painted, and from which it is removed.", defaults.Scenes);
        var elements = Setting.Of<string[]>("--element", "NAME", "Paint and remove only this element, such as snow; may be repeated.");
        var strength = Setting.Of("--strength", "X", "Strength of painting, 5 to 15.", defaults.Strength);
        var seed = Setting.Of("--seed", "N", "Seed of all random numbers.", defaults.Seed);
        var names = Setting.Of<string?>("--names", "FILE", "Also write names of features, for saeunbox atlas.");
        var suggestions = Setting.Of<string?>("--suggestions", "FILE", "Also write suggestions of what to try, for saeunbox atlas.");
        var concepts = Setting.Of<string?>("--concepts", "FILE",
            "Also write each element as a concept, with the edits that put it in and take it out best, for saeunbox atlas.");
        var trials = Setting.Of("--trials", "N", "Scenes in which each way to put an element in or take it out is tried; 0 makes no "
            + "concepts.", defaults.Trials);
        var conceptScenes = Setting.Of("--concept-scenes", "N", "Other scenes in which the chosen ways are measured.",
            defaults.ConceptScenes);
        var dtype = Setting.Of("--dtype", "FORMAT", "Number format of the model: fp32, bf16, fp16, int8.", Names.Of(defaults.Dtype));
        var device = new DeviceArgument();
        var json = Setting.Switch("--json", "Print everything as JSON.");
        var command = new Command("evaluate-mini",
            "Measure a trained unbox-mini: pictures, obedience to captions, autoencoders, steering.");
        command.Add(model, saes, pictures, scenes, elements, strength, seed, names, suggestions, concepts, trials, conceptScenes, dtype);
        device.AddTo(command);
        command.Add(json);
        command.SetGuardedAction(terminal, (parsed, cancellation) =>
        {
            var options = new MiniEvaluationOptions
            {
                Pictures = Require.AtLeast(1, "--pictures", parsed.GetValue(pictures)),
                Scenes = Require.AtLeast(1, "--scenes", parsed.GetValue(scenes)),
                Elements = parsed.GetValue(elements) is { Length: > 0 } named
                    ? [.. named.Select(name => NamedValue.OneOf("--element", name, MiniEvaluation.Elements))]
                    : null,
                Seed = parsed.GetValue(seed),
                Dtype = NamedValue.Parse<Dtype>("--dtype", parsed.GetRequiredValue(dtype))!.Value,
                Trials = Require.AtLeast(0, "--trials", parsed.GetValue(trials)),
                ConceptScenes = Require.AtLeast(1, "--concept-scenes", parsed.GetValue(conceptScenes)),
                Strength = parsed.GetValue(strength) is >= 5 and <= 15 and var x ? x : throw new CliException("--strength: use 5 to 15."),
            };
            foreach (var written in (Option<string?>[])[names, suggestions, concepts])
                if (parsed.GetValue(written) is { } file)
                    OutputFile.Require(file, written.Name);
            var place = device.Read(parsed);
            var report = terminal.WithProgress("evaluating", bar => MiniEvaluation.Run(parsed.GetRequiredValue(model),
                parsed.GetRequiredValue(saes), options, new MiniEvaluationReporter(terminal, bar), place, cancellation));
            if (parsed.GetValue(names) is { } namesFile)
                MiniFindings.WriteNames(report, namesFile);
            if (parsed.GetValue(suggestions) is { } suggestionsFile)
                MiniFindings.WriteSuggestions(report, suggestionsFile);
            if (parsed.GetValue(concepts) is { } conceptsFile)
                MiniFindings.WriteConcepts(report, conceptsFile);
            terminal.Output.Write(parsed.GetValue(json) ? MiniFindings.ToJson(report) + Environment.NewLine : Text(report));
        });
        return command;
    }

    private static string Text(MiniEvaluationReport report)
    {
        var (text, culture, pictures) = (new StringBuilder(), CultureInfo.InvariantCulture, report.Pictures);
        text.AppendLine(culture, $"pictures   latent error {pictures.LatentError:0.0000}, PSNR {pictures.Psnr:0.00} dB "
            + $"(truth through the autoencoder: {pictures.AutoencoderPsnr:0.00} dB)");
        foreach (var one in report.Obedience)
            text.AppendLine(culture, $"obedience  {one.Attribute,-8} {one.NamedObeyed,6:P1} of {one.Named} named, "
                + $"{one.Obeyed,6:P1} of all {one.Asked} (probe: right on truth {one.ProbeOnTruth:P1}, on other scenes "
                    + $"{one.ProbeOnOthers:P1})");
        foreach (var one in report.Sites)
            text.AppendLine(culture, $"site       {one.Site,-8} explained variance {one.ExplainedVariance:0.000} "
                + $"(per channel {one.ExplainedVariancePerChannel:0.000}), dead {one.DeadShare:P1}");
        foreach (var one in report.Steering)
            text.AppendLine(culture, $"steering   {one.Element,-9} {one.Site,-8} feature {one.Feature,4} (r {one.Correlation:0.00}): "
                + $"painted {one.Painted,6:P0} (before {one.Before:P0}, outside/inside {one.PaintedOutside:0.000}), "
                + $"removed {one.Removed,6:P0} of {one.Present} (outside/inside {one.RemovedOutside:0.000})");
        foreach (var one in report.Concepts)
            text.AppendLine(culture, $"concept    {one.Name,-9} in: {Text(one.BestForPainting, site => site.Painting)}, "
                + $"out: {Text(one.BestForRemoval, site => site.Removal)}");
        return text.ToString();
    }

    private static string Text(ConceptSite? site, Func<ConceptSite, ConceptEffect?> effect) => site is not null && effect(site) is { } found
        ? string.Create(CultureInfo.InvariantCulture,
            $"{site.Site}:{string.Join('+', site.Edit(found).Features)}:{found.Strength}:{found.Mode} in {found.Share:P0}")
        : "nothing works";
}
