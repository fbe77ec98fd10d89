using SaeUnbox.Mini.Evaluation;

namespace SaeUnbox.Cli.Commands;

/// <summary><c>evaluate</c> of many captions: the whole table of measures of a model's autoencoders.</summary>
/// <param name="shared">The options that both evaluations have.</param>
internal sealed class EvaluateTable(EvaluateArguments shared)
{
    private const string Scenes = "scenes", None = "none";
    private const long DefaultSeed = 1;

    private static readonly EvaluationRequest Defaults = new() { Captions = [] };

    private readonly Option<string?> _captions = Setting.Of<string?>("--captions", "FILE",
        "Captions for fit and reconstruction: .txt, .json, .jsonl, .csv or .tsv (default for unbox-mini: captions of its scenes).");
    private readonly Option<int> _pictures = Setting.Of("--pictures", "N",
        "Captions to use; with a judge also pictures to choose features on, and as many others to measure detection on.",
        Defaults.Pictures);
    private readonly Option<string?> _second = Setting.Of<string?>("--second", "DIR",
        "A second set of autoencoders, such as one of another seed, to match with.");
    private readonly Option<string?> _judge = Setting.Of<string?>("--judge", "NAME",
        "What detection and steering are measured against: scenes, the truth of unbox-mini's scenes (its default), or none.");
    private readonly Option<string[]> _elements = Setting.Of<string[]>("--element", "NAME",
        "An element to find and steer, such as snow; may be repeated (default: all).");
    private readonly Option<int> _scenes = Setting.Of("--scenes", "N",
        "Pictures into which each element is painted, and from which it is removed; without a judge pictures for leakage.",
        Defaults.Scenes);
    private readonly Option<int> _tuning = Setting.Of("--tuning", "N",
        "Further pictures on which the strengths of an element are chosen.", Defaults.Tuning);

    /// <summary>The options that only this evaluation has.</summary>
    public IReadOnlyList<Option> Options => [_captions, _pictures, _second, shared.Clip, _judge, _elements, _scenes, _tuning];

    public void Run(Terminal terminal, ParseResult parsed, CancellationToken cancellation)
    {
        var folder = shared.Folder(parsed);
        var pictures = Require.Between("--pictures", parsed.GetValue(_pictures), 1, 1_000_000);
        var scenes = Require.Between("--scenes", parsed.GetValue(_scenes), 1, 100_000);
        var tuning = Require.Between("--tuning", parsed.GetValue(_tuning), 1, 100_000);
        var seed = shared.Recipe.Seed(parsed) ?? DefaultSeed;
        if (seed is < 0 or > int.MaxValue)
            throw new CliException($"--seed {seed}: use 0 to {int.MaxValue}.");
        var named = shared.Sites(parsed);
        var options = shared.Model.Read(parsed, null);
        var isMini = options.Name == EmbeddedModel.Name;
        var judge = NamedValue.OneOf("--judge", parsed.GetValue(_judge) ?? (isMini ? Scenes : None), [Scenes, None]) == Scenes
            ? new SceneJudge((int)seed)
            : null;
        var elements = (parsed.GetValue(_elements) ?? []).Distinct().ToArray();
        if (elements.Length > 0 && judge is null)
            throw new CliException("--element: nothing knows what this model's pictures show; elements need --judge scenes.");
        foreach (var element in elements)
            NamedValue.OneOf("--element", element, judge!.Elements);
        var captions = parsed.GetValue(_captions) is { } file ? CaptionFile.Read(file, seed, pictures)
            : isMini ? CaptionArguments.Generate(pictures, seed)
            : throw new CliException("say which captions: --captions FILE, or one picture with --prompt.");
        var clip = InputFolder.Read(parsed, shared.Clip);
        var secondFolder = InputFolder.Read(parsed, _second);
        using var model = ModelSession.Load(terminal, options, cancellation);
        EvaluateArguments.Require(model, named);
        var settings = shared.Recipe.ReadSettings(parsed, model);
        if (judge is not null && (settings.Width, settings.Height) != (model.Info.Width, model.Info.Height))
            throw new CliException($"--judge scenes: scenes have {model.Info.Width} x {model.Info.Height} pixels, not {settings.Width} x "
                + $"{settings.Height}.");
        using var second = secondFolder is null ? null : OnDevice.LoadAutoencoders(secondFolder, shared.Model.Device(parsed),
            options.SaeVariant, options.SaeK);
        var request = new EvaluationRequest
        {
            Captions = captions,
            Settings = settings,
            Sites = named,
            Second = second,
            ClipFolder = clip,
            Judge = judge,
            Seed = (int)seed,
            Elements = elements,
            Pictures = pictures,
            Scenes = scenes,
            Tuning = tuning,
            LoadAnother = shared.Model.Device(parsed) == "cpu" ? () => LoadedModel.Load(options, cancellation: cancellation) : null,
        };
        var report = terminal.WithProgress("evaluating", work => ModelEvaluation.Run(
            model, request, folder, (what, done, all) => work.Report(done, all, () => what), cancellation));
        terminal.Output.Write(shared.IsJson(parsed)
            ? File.ReadAllText(Path.Combine(folder, "report.json")) + Environment.NewLine
            : Text(report));
    }

    private static string Text(EvaluationReport report)
    {
        var (text, culture) = (new StringBuilder(), CultureInfo.InvariantCulture);
        foreach (var row in report.Fit)
            text.AppendLine(culture, $"fit             {Place(row),-17} explained variance {row.ExplainedVariancePooled:0.000} (pooled), "
                + $"{row.ExplainedVariancePerChannel:0.000} (per channel), FVU {row.Fvu:0.000}, "
                    + $"L0 {row.L0:0.0}, dead {row.DeadShare:0.0 %}");
        foreach (var row in report.Reconstruction)
            text.Append(culture, $"reconstruction  {row.Sites,-17} PSNR {row.Psnr:0.00} dB").AppendLine(row.ClipText is null ? ""
                : string.Create(culture,
                    $", CLIP caption {row.ClipText:0.000} (plain {row.ClipTextPlain:0.000}), picture {row.ClipPicture:0.000}"));
        foreach (var row in report.Stability)
            text.AppendLine(culture, $"stability       {row.Site,-17} matched cosine {row.Figures.MatchedCosine:0.000}, "
                + $"{row.Figures.SameShare:0.0 %} of {DictionaryStability.Same} or more, best cosine {row.Figures.BestCosine:0.000}");
        foreach (var row in report.Leakage)
            text.AppendLine(culture, $"leakage         {row.Site,-17} {row.Leakage:0.000} (change inside {row.Inside:0.0000}, "
                + $"outside {row.Outside:0.0000})");
        foreach (var row in report.DetectionTotals.Where(row => row.Site == SteeringTotal.Best))
            text.AppendLine(culture, $"detection       {row.Method,-20} AUC {row.Auc:0.000}, IoU {row.Iou:0.000}, {row.Elements} elements");
        foreach (var row in report.SteeringTotals.Where(row => row.Site == SteeringTotal.Best))
            text.AppendLine(culture, $"{Names.Of(row.Task),-15} {row.Method,-20} success {row.Figures.Success,6:0.0 %}, retention "
                + $"{row.Figures.Retention,6:0.0 %}, artefacts {row.Figures.Artefacts,6:0.0 %} (before "
                    + $"{row.Figures.ArtefactsBefore:0.0 %}), "
                + $"leakage {row.Figures.Leakage:0.000}");
        foreach (var one in report.Missing)
            text.AppendLine(culture, $"missing         {one.Measure}: {one.Reason}");
        return text.ToString();

        string Place(FitRow row) => report.Question.Steps == 1 ? row.Site
            : row.Step is { } step ? string.Create(culture, $"{row.Site} step {step}") : $"{row.Site} all steps";
    }
}
