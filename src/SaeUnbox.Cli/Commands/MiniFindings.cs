using System.Text.Json;
using SaeUnbox.Cli.Options;
using SaeUnbox.Cli.Output;
using SaeUnbox.Mini.Evaluation;
using SaeUnbox.Mini.Training;
using TorchSharp;

namespace SaeUnbox.Cli.Commands;

/// <summary>What a finished training finds out about its model: the figures, and the atlas with the names and suggestions that they give.</summary>
internal static class MiniFindings
{
    private static readonly JsonSerializerOptions Format = new() { WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.CamelCase };

    public static string ToJson(MiniEvaluationReport report) => JsonSerializer.Serialize(report, Format);

    public static void WriteNames(MiniEvaluationReport report, string path) => AtomicFile.WriteAllText(path, JsonSerializer.Serialize(report.Names, Format) + "\n");

    public static void WriteSuggestions(MiniEvaluationReport report, string path) => AtomicFile.WriteAllText(path, MiniSuggestions.Of(report) + "\n");

    /// <summary>The last stages of a training; each is done once for its options, and one that was stopped goes on or is done again.</summary>
    public static void Make(string folder, MiniTrainingOptions options, torch.Device device, Terminal terminal, IProgress<Advance> bar, CancellationToken cancellation)
    {
        var (model, saes) = (Path.Combine(folder, "model"), Path.Combine(folder, "saes"));
        string figures = Path.Combine(folder, MiniFiles.Figures), names = Path.Combine(folder, MiniFiles.Names), tries = Path.Combine(folder, MiniFiles.Suggestions);
        var atlas = Path.Combine(folder, MiniFiles.Atlas);
        string measured = Path.Combine(folder, "states", "evaluation.json"), shown = Path.Combine(folder, "states", "atlas.json");
        if (!File.Exists(figures) || !IsOf(measured, options.Evaluation))
        {
            File.Delete(shown); // its names and suggestions come from the figures
            var report = MiniEvaluation.Run(model, saes, options.Evaluation, new EvaluationReporter(terminal, bar), device, cancellation);
            WriteNames(report, names);
            WriteSuggestions(report, tries);
            AtomicFile.WriteAllText(figures, ToJson(report) + "\n");
            AtomicFile.WriteAllText(measured, JsonSerializer.Serialize(options.Evaluation));
        }
        if (!IsOf(shown, options.Atlas) && Directory.Exists(atlas))
            Directory.Delete(atlas, true);
        AtomicFile.WriteAllText(shown, JsonSerializer.Serialize(options.Atlas));
        if (File.Exists(Path.Combine(atlas, AtlasReader.FileName)))
            return;
        using var loaded = LoadedModel.Load(new ModelOptions { Folder = model, SaeFolder = saes, Device = device }, cancellation: cancellation);
        var request = new AtlasRequest
        {
            Captions = CaptionArguments.OfGrammar(options.Atlas.Captions, options.Atlas.Seed), TopPictures = options.Atlas.TopPictures, PictureSide = options.Atlas.PictureSide,
            Names = AtlasFiles.Names(names), Suggestions = AtlasFiles.Suggestions(tries),
        };
        var work = new LongWork(terminal, bar);
        AtlasBuilder.Run(loaded, request, atlas, done => work.Report(done, request.Captions.Count, () => "atlas: running captions"), cancellation);
    }

    private static bool IsOf<T>(string note, T options) => File.Exists(note) && File.ReadAllText(note) == JsonSerializer.Serialize(options);
}
