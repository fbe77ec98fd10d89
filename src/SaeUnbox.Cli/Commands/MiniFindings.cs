using System.Text.Json;
using SaeUnbox.Cli.Options;
using SaeUnbox.Cli.Output;
using SaeUnbox.Mini.Evaluation;
using SaeUnbox.Mini.Training;

namespace SaeUnbox.Cli.Commands;

/// <summary>
/// The last stages of <c>train-mini</c>: figures that measure the model, and its atlas. The figures give the atlas its names, suggestions
/// and concepts.
/// </summary>
internal static class MiniFindings
{
    private static readonly JsonSerializerOptions Format =
        new() { WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.CamelCase };

    public static string ToJson(MiniEvaluationReport report) => JsonSerializer.Serialize(report, Format);

    public static void WriteNames(MiniEvaluationReport report, string path) =>
        AtomicFile.WriteAllText(path, JsonSerializer.Serialize(report.Names, Format) + "\n");

    public static void WriteSuggestions(MiniEvaluationReport report, string path) =>
        AtomicFile.WriteAllText(path, MiniSuggestions.Of(report) + "\n");

    public static void WriteConcepts(MiniEvaluationReport report, string path) =>
        AtomicFile.WriteAllText(path, JsonSerializer.Serialize(report.Concepts, Format) + "\n");

    /// <summary>Makes figures and atlas, except those that an earlier run made with the same options.</summary>
    /// <param name="folder">The folder of the training.</param>
    public static void Make(
        string folder, MiniTrainingOptions options, string device, Terminal terminal, IProgress<Advance> bar,
        CancellationToken cancellation)
    {
        var (model, saes) = (Path.Combine(folder, "model"), Path.Combine(folder, "saes"));
        var (figures, atlas) = (Path.Combine(folder, MiniFiles.Figures), Path.Combine(folder, MiniFiles.Atlas));
        var (names, suggestions) = (Path.Combine(folder, MiniFiles.Names), Path.Combine(folder, MiniFiles.Suggestions));
        var concepts = Path.Combine(folder, MiniFiles.Concepts);
        // The options of the last run.
        var (figuresNote, atlasNote) = (Path.Combine(folder, "states", "evaluation.json"), Path.Combine(folder, "states", "atlas.json"));
        if (!File.Exists(figures) || !Holds(figuresNote, options.Evaluation))
        {
            File.Delete(atlasNote); // the atlas depends on the figures
            var report = MiniEvaluation.Run(model, saes, options.Evaluation, new MiniEvaluationReporter(terminal, bar), device,
                cancellation);
            WriteNames(report, names);
            WriteSuggestions(report, suggestions);
            WriteConcepts(report, concepts);
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
            Names = AtlasFiles.Names(names),
            Suggestions = AtlasFiles.Suggestions(suggestions),
            Concepts = AtlasFiles.Concepts(concepts),
        };
        var work = new LongWork(terminal, bar);
        AtlasBuilder.Run(
            loaded, request, atlas, done => work.Report(done, request.Captions.Count, () => "atlas: running captions"), cancellation);
    }

    private static bool Holds<T>(string note, T options) =>
        File.Exists(note) && File.ReadAllText(note) == JsonSerializer.Serialize(options);
}

/// <summary>Shows the progress of an evaluation: a bar on a terminal, else a line for each tenth. Safe for several threads.</summary>
internal sealed class MiniEvaluationReporter(Terminal terminal, IProgress<Advance> bar) : IProgress<MiniEvaluationProgress>
{
    private readonly Lock _lock = new();
    private int _tenth = -1;
    private string _stage = "";

    public void Report(MiniEvaluationProgress value)
    {
        using var scope = _lock.EnterScope();
        bar.Report(new(value.Done, value.Total, value.Stage));
        var tenth = 10 * value.Done / value.Total;
        if (terminal.HasBars || (tenth, value.Stage) == (_tenth, _stage))
            return;
        (_tenth, _stage) = (tenth, value.Stage);
        terminal.Note($"{value.Stage} {value.Done}/{value.Total}");
    }
}
