using System.Text.Json;
using SaeUnbox.Mini.Evaluation;
using SaeUnbox.Mini.Training;

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
        var prompts = Setting.Of("--prompts", "N", "Prompts of strangers, at most 200, whose pictures are measured for sharpness, with "
            + "one and a half times as many captions; 0 measures none.", defaults.Prompts);
        var scenes = Setting.Of("--scenes", "N", "Scenes in which each element is painted, and from which it is removed.", defaults.Scenes);
        var elements = Setting.Of<string[]>("--element", "NAME", "Paint and remove only this element, such as snow; may be repeated.");
        var strength = Setting.Of("--strength", "X", "Strength of painting, 5 to 15.", defaults.Strength);
        var seed = Setting.Of("--seed", "N", "Seed of all random numbers.", defaults.Seed);
        var suggestions = Setting.Of<string?>("--suggestions", "FILE",
            "With --concepts: also write suggestions of what to try, for saeunbox atlas.");
        var concepts = Setting.Of<string?>("--concepts", "FILE",
            "Make each element a concept instead, and write it with the edits that put it in and take it out best, for saeunbox atlas. "
            + "You can interrupt it; the same command continues.");
        var trials = Setting.Of("--trials", "N", "Scenes in which each way to put an element in or take it out is tried.",
            defaults.Trials);
        var conceptScenes = Setting.Of("--concept-scenes", "N", "Other scenes in which the chosen ways are measured.",
            defaults.ConceptScenes);
        var fittingSteps = Setting.Of("--fitting-steps", "N", "Steps that fit the weights of a concept's features; 0 fits none.",
            defaults.FittingSteps);
        var features = Setting.Of<string?>("--features", "FILE",
            "Measure every feature instead, and write its name, its good strength and what it does there, for saeunbox atlas. You can "
            + "interrupt it; the same command continues.");
        var namingScenes = Setting.Of("--naming-scenes", "N", "Scenes to name features on, and as many others to check the names.",
            defaults.NamingScenes);
        var featureTrials = Setting.Of("--feature-trials", "N", "Scenes in which each strength of a feature is tried; 0 measures names "
            + "alone.", defaults.FeatureTrials);
        var featureScenes = Setting.Of("--feature-scenes", "N", "Other scenes in which the chosen strength is measured, and in which the "
            + "feature is taken out.", defaults.FeatureScenes);
        var dtype = Setting.Of("--dtype", "FORMAT", "Number format of the model: fp32, bf16, fp16, int8.", Names.Of(defaults.Dtype));
        var device = new DeviceArgument();
        var json = Setting.Switch("--json", "Print everything as JSON.");
        return terminal.NewCommand("evaluate-mini",
            "Measure a trained unbox-mini: pictures, obedience to captions, sharpness, autoencoders, steering.",
            [model, saes, pictures, prompts, scenes, elements, strength, seed, suggestions, concepts, trials, conceptScenes, features,
                fittingSteps, namingScenes, featureTrials, featureScenes, dtype, device.Option, json], (parsed, cancellation) =>
        {
            var options = new MiniEvaluationOptions
            {
                Pictures = Require.AtLeast(1, "--pictures", parsed.GetValue(pictures)),
                Prompts = Require.AtLeast(0, "--prompts", parsed.GetValue(prompts)),
                Scenes = Require.AtLeast(1, "--scenes", parsed.GetValue(scenes)),
                Elements = parsed.GetValue(elements) is { Length: > 0 } named
                    ? [.. named.Select(name => NamedValue.OneOf("--element", name, MiniEvaluation.Elements))]
                    : null,
                Seed = parsed.GetValue(seed),
                Dtype = NamedValue.Parse<Dtype>("--dtype", parsed.GetRequiredValue(dtype))!.Value,
                Trials = Require.AtLeast(1, "--trials", parsed.GetValue(trials)),
                ConceptScenes = Require.AtLeast(1, "--concept-scenes", parsed.GetValue(conceptScenes)),
                FittingSteps = Require.AtLeast(0, "--fitting-steps", parsed.GetValue(fittingSteps)),
                NamingScenes = Require.AtLeast(1, "--naming-scenes", parsed.GetValue(namingScenes)),
                FeatureTrials = Require.AtLeast(0, "--feature-trials", parsed.GetValue(featureTrials)),
                FeatureScenes = Require.AtLeast(1, "--feature-scenes", parsed.GetValue(featureScenes)),
                Strength = parsed.GetValue(strength) is >= 5 and <= 15 and var x ? x : throw new CliException("--strength: use 5 to 15."),
            };
            foreach (var written in (Option<string?>[])[suggestions, concepts, features])
                if (parsed.GetValue(written) is { } file)
                    OutputFile.Require(file, written.Name);
            if (parsed.GetValue(suggestions) is not null && parsed.GetValue(concepts) is null)
                throw new CliException("--suggestions are made of concepts; use it together with --concepts.");
            var place = device.Read(parsed);
            var (modelFolder, saeFolder) = (parsed.GetRequiredValue(model), parsed.GetRequiredValue(saes));
            if (parsed.GetValue(features) is { } featuresFile)
            {
                var known = terminal.WithProgress("evaluating", work => MiniFindings.MeasureFeatures(modelFolder, saeFolder, options,
                    featuresFile, new MiniEvaluationReporter(terminal, work), place, cancellation));
                terminal.Output.WriteLine(parsed.GetValue(json) ? MiniFindings.ToJson(known) : Text(known));
                return;
            }
            if (parsed.GetValue(concepts) is { } conceptsFile)
            {
                var made = terminal.WithProgress("evaluating", work => MiniFindings.MakeConcepts(modelFolder, saeFolder, options,
                    conceptsFile, new MiniEvaluationReporter(terminal, work), place, cancellation));
                if (parsed.GetValue(suggestions) is { } suggestionsFile)
                    MiniFindings.WriteSuggestions(made, suggestionsFile);
                terminal.Output.Write(parsed.GetValue(json) ? MiniFindings.ToJson(made) + Environment.NewLine : Text(made));
                return;
            }
            var report = terminal.WithProgress("evaluating", work => MiniEvaluation.Run(modelFolder, saeFolder, options,
                new MiniEvaluationReporter(terminal, work), place, cancellation));
            terminal.Output.Write(parsed.GetValue(json) ? MiniFindings.ToJson(report) + Environment.NewLine : Text(report));
        });
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
        foreach (var one in report.Sharpness)
            text.AppendLine(culture, $"sharpness  {one.Captions,-9} {one.Sharp,6:P1} of {one.Pictures} pictures "
                + $"(truth: {one.SharpTruth:P1}), {one.Places:P1} of places (truth: {one.PlacesOfTruth:P1})");
        foreach (var one in report.Sites)
            text.AppendLine(culture, $"site       {one.Site,-8} explained variance {one.ExplainedVariance:0.000} "
                + $"(per channel {one.ExplainedVariancePerChannel:0.000}), dead {one.DeadShare:P1}");
        foreach (var one in report.Steering)
            text.AppendLine(culture, $"steering   {one.Element,-9} {one.Site,-8} feature {one.Feature,4} (r {one.Correlation:0.00}): "
                + $"painted {one.Painted,6:P0} (before {one.Before:P0}, outside/inside {one.PaintedOutside:0.000}), "
                + $"removed {one.Removed,6:P0} of {one.Present} (outside/inside {one.RemovedOutside:0.000})");
        return text.ToString();
    }

    private static string Text(FeatureFigures features) => string.Create(CultureInfo.InvariantCulture,
        $"features   {features.Named} of {features.All} named, {features.Wrong} of them wrongly ({features.WrongInSample} of a sample of "
        + $"{features.Sample}); {features.Painting} have a name that can be painted: in 75 % of scenes or more {features.Painted} of them "
        + $"paint it, {features.Removed} take it out");

    private static string Text(IReadOnlyList<MeasuredConcept> concepts)
    {
        var text = new StringBuilder();
        foreach (var (concept, figures) in concepts)
            text.AppendLine(CultureInfo.InvariantCulture, $"concept    {figures.Element,-9} "
                + $"in: {Text(concept?.BestForPainting, site => site.Painting)} (outside/inside {figures.PaintedOutside:0.000}), "
                + $"over a thing {Share(figures.Over)}, over a layer {Share(figures.Upper)}; "
                + $"out: {Text(concept?.BestForRemoval, site => site.Removal)} (outside/inside {figures.RemovedOutside:0.000}), "
                + $"empty then {Share(figures.Empty)}");
        return text.ToString();

        static string Share(double? share) => share is { } known ? known.ToString("P0", CultureInfo.InvariantCulture) : "-";
    }

    private static string Text(ConceptSite? site, Func<ConceptSite, ConceptEffect?> effect) => site is not null && effect(site) is { } found
        ? string.Create(CultureInfo.InvariantCulture,
            $"{site.Site}:{string.Join('+', site.Edit(found).Features)}:{found.Strength}:{found.Mode} in {found.Share:P0}")
        : "nothing works";
}

/// <summary>
/// The last stages of <c>train-mini</c>: figures that measure the model, and its atlas. The figures give the atlas its names, strengths,
/// suggestions and concepts.
/// </summary>
internal static class MiniFindings
{
    private static readonly JsonSerializerOptions Format =
        new() { WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.CamelCase };

    public static string ToJson<T>(T report) => JsonSerializer.Serialize(report, Format);

    /// <summary>Measures every feature, and writes what was found. What is done lies beside the file until then.</summary>
    public static FeatureFigures MeasureFeatures(string model, string saes, MiniEvaluationOptions options, string path,
        MiniEvaluationReporter reporter, string device, CancellationToken cancellation)
    {
        var parts = path + ".parts";
        var features = FeatureEvaluation.Run(model, saes, options, parts, reporter, device, cancellation);
        AtomicFile.WriteAllText(path, JsonSerializer.Serialize(features, Format) + "\n");
        Directory.Delete(parts, recursive: true);
        return FeatureFigures.Of(features, options);
    }

    public static void WriteSuggestions(IReadOnlyList<MeasuredConcept> made, string path) =>
        AtomicFile.WriteAllText(path, MiniSuggestions.Of(Concepts(made)) + "\n");

    /// <summary>Makes elements concepts, and writes them by name. What is done lies beside the file until then.</summary>
    public static IReadOnlyList<MeasuredConcept> MakeConcepts(string model, string saes, MiniEvaluationOptions options, string path,
        MiniEvaluationReporter reporter, string device, CancellationToken cancellation)
    {
        var parts = path + ".parts";
        var made = ConceptEvaluation.Run(model, saes, options, parts, reporter, device, cancellation);
        AtomicFile.WriteAllText(path, JsonSerializer.Serialize(Concepts(made), Format) + "\n");
        Directory.Delete(parts, recursive: true);
        return made;
    }

    /// <summary>Makes figures and atlas, except those that an earlier run made with the same options.</summary>
    /// <param name="folder">The folder of the training.</param>
    public static void Make(
        string folder, MiniTrainingOptions options, string device, Terminal terminal, LongWork work,
        CancellationToken cancellation)
    {
        var (model, saes) = (Path.Combine(folder, "model"), Path.Combine(folder, "saes"));
        var (figures, atlas) = (Path.Combine(folder, MiniFiles.Figures), Path.Combine(folder, MiniFiles.Atlas));
        var (suggestions, concepts) = (Path.Combine(folder, MiniFiles.Suggestions), Path.Combine(folder, MiniFiles.Concepts));
        var features = Path.Combine(folder, MiniFiles.Features);
        // The options of the last run.
        var (figuresNote, atlasNote) = (Path.Combine(folder, "states", "evaluation.json"), Path.Combine(folder, "states", "atlas.json"));
        if (!File.Exists(figures) || !Holds(figuresNote, options.Evaluation))
        {
            File.Delete(atlasNote); // the atlas depends on the figures
            var reporter = new MiniEvaluationReporter(terminal, work);
            var report = MiniEvaluation.Run(model, saes, options.Evaluation, reporter, device, cancellation);
            var known = MeasureFeatures(model, saes, options.Evaluation, features, reporter, device, cancellation);
            var made = MakeConcepts(model, saes, options.Evaluation, concepts, reporter, device, cancellation);
            WriteSuggestions(made, suggestions);
            report = report with { Features = known, Concepts = [.. made.Select(one => one.Figures)] };
            AtomicFile.WriteAllText(figures, ToJson(report) + "\n");
            AtomicFile.WriteAllText(figuresNote, JsonSerializer.Serialize(options.Evaluation));
        }
        if (!Holds(atlasNote, options.Atlas) && Directory.Exists(atlas))
            Directory.Delete(atlas, true);
        AtomicFile.WriteAllText(atlasNote, JsonSerializer.Serialize(options.Atlas));
        if (File.Exists(Path.Combine(atlas, AtlasReader.FileName)))
            return;
        var modelOptions = new ModelOptions { Folder = model, SaeFolder = saes }.On(device, DtypeChoice.Fp32);
        using var loaded = LoadedModel.Load(modelOptions, cancellation: cancellation);
        var request = new AtlasRequest
        {
            Captions = CaptionArguments.Generate(options.Atlas.Captions, options.Atlas.Seed),
            TopPictures = options.Atlas.TopPictures,
            PictureSide = options.Atlas.PictureSide,
            Suggestions = AtlasFiles.Suggestions(suggestions),
            Concepts = AtlasFiles.Concepts(concepts),
        };
        AtlasBuilder.Run(
            loaded, request, atlas, done => work.Report(done, request.Captions.Count, () => "atlas: running captions"), cancellation);
        AtlasWriter.SetFeatures(Path.Combine(atlas, AtlasReader.FileName), AtlasFiles.Features(features));
    }

    private static IEnumerable<Concept> Concepts(IReadOnlyList<MeasuredConcept> made) =>
        made.Select(one => one.Concept).OfType<Concept>().OrderBy(concept => concept.Name, StringComparer.Ordinal);

    private static bool Holds<T>(string note, T options) =>
        File.Exists(note) && File.ReadAllText(note) == JsonSerializer.Serialize(options);
}

/// <summary>Shows the progress of an evaluation: a bar on a terminal, else a line for each tenth. Safe for several threads.</summary>
internal sealed class MiniEvaluationReporter(Terminal terminal, LongWork work) : IProgress<MiniEvaluationProgress>
{
    private readonly Lock _lock = new();
    private int _tenth = -1;
    private string _stage = "";

    public void Report(MiniEvaluationProgress value)
    {
        using var scope = _lock.EnterScope();
        work.Show(value.Done, value.Total, value.Stage);
        var tenth = 10 * value.Done / value.Total;
        if (terminal.HasBars || (tenth, value.Stage) == (_tenth, _stage))
            return;
        (_tenth, _stage) = (tenth, value.Stage);
        terminal.Note($"{value.Stage} {value.Done}/{value.Total}");
    }
}
