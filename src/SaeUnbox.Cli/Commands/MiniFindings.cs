using System.Text.Json;
using SaeUnbox.Checkpoints;
using SaeUnbox.Cli.Options;
using SaeUnbox.Cli.Output;
using SaeUnbox.Inference;
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

    /// <summary>The last stages of a training; each is done once, and one that was stopped goes on or is done again.</summary>
    public static void Make(string folder, MiniTrainingOptions options, torch.Device device, Terminal terminal, IProgress<Advance> bar, CancellationToken cancellation)
    {
        var (model, saes) = (Path.Combine(folder, "model"), Path.Combine(folder, "saes"));
        string figures = Path.Combine(folder, MiniFiles.Figures), names = Path.Combine(folder, MiniFiles.Names), tries = Path.Combine(folder, MiniFiles.Suggestions);
        if (!File.Exists(figures))
        {
            var report = MiniEvaluation.Run(model, saes, options.Evaluation, new EvaluationReporter(terminal, bar), device, cancellation);
            WriteNames(report, names);
            WriteSuggestions(report, tries);
            AtomicFile.WriteAllText(figures, ToJson(report) + "\n");
        }
        var atlas = Path.Combine(folder, MiniFiles.Atlas);
        if (File.Exists(Path.Combine(atlas, SaeUnbox.Atlas.Reading.AtlasReader.FileName)))
            return;
        using var loaded = LoadedModel.Load(new ModelOptions { Folder = model, SaeFolder = saes, Device = device });
        var request = new AtlasRequest
        {
            Captions = CaptionArguments.OfGrammar(options.Atlas.Captions, options.Atlas.Seed), TopPictures = options.Atlas.TopPictures, PictureSide = options.Atlas.PictureSide,
            Names = AtlasFiles.Names(names), Suggestions = AtlasFiles.Suggestions(tries),
        };
        var work = new LongWork(terminal, bar);
        AtlasBuilder.Run(loaded, request, atlas, done => work.Report(done, request.Captions.Count, () => "atlas: running captions"), cancellation);
    }
}
