using System.CommandLine;
using System.Text.Json.Nodes;
using SaeUnbox.Cli.Options;
using SaeUnbox.Cli.Output;
using SaeUnbox.Contracts;
using SaeUnbox.Inference;
using SaeUnbox.Pictures;

namespace SaeUnbox.Cli.Commands;

/// <summary><c>generate</c>: a recipe to a PNG that carries it.</summary>
internal static class GenerateCommand
{
    public static Command Create()
    {
        var model = new ModelArguments();
        var recipe = new RecipeArguments();
        var output = new Option<string>("--out") { Description = "The PNG to write; the recipe is inside it.", HelpName = "FILE", Required = true };
        var dump = new Option<string?>("--dump") { Description = "Also write every tensor of the run to this safetensors file.", HelpName = "FILE" };
        var json = new Option<bool>("--json") { Description = "Print the recipe, the files and the times as JSON." };
        var command = new Command("generate", "Make a picture, with features painted in.");
        model.AddTo(command);
        recipe.AddTo(command);
        foreach (var option in (Option[])[output, dump, json]) command.Add(option);
        command.Runs((parsed, cancellation) =>
        {
            var path = parsed.GetRequiredValue(output);
            var dumpPath = parsed.GetValue(dump);
            OutputFile.Require(path, "--out");
            if (dumpPath is not null) OutputFile.Require(dumpPath, "--dump");
            var file = recipe.ReadFile(parsed);
            var edits = recipe.ReadEdits(parsed);
            using var loaded = ModelSession.Load(model.Read(parsed, file));
            var made = recipe.Read(parsed, file, edits, loaded, model);
            if (file is not null && file.Model != made.Model)
                Terminal.Note($"saeunbox: the recipe was made with the model '{file.Model}'; it runs on '{made.Model}'.");
            ModelSession.WarnOfLongPrompt(loaded, made);

            using var recorder = dumpPath is null ? null : new RunRecorder(SitesToDump(loaded));
            using var runner = new RecipeRunner(loaded);
            var outcome = Terminal.WithProgress("generating", progress => runner.Run(
                made, new RunRequest { Recorder = recorder, Progress = (done, all) => progress.Report(new(done, all)) }, cancellation));
            OutputFile.Write(path, PictureFile.Png(outcome.Picture!, made));
            recorder?.Save(dumpPath!);
            if (parsed.GetValue(json)) Json.Print(Report(made, outcome, path, dumpPath));
            else Console.Out.WriteLine(path);
        });
        return command;
    }

    // The sites with an autoencoder, or else the four that the demo names.
    private static IReadOnlyList<string> SitesToDump(LoadedModel model) => model.Saes.Count > 0
        ? [.. model.Saes.Keys.Select(site => site.Code)]
        : [.. model.Pipeline.UNet.Sites.Select(site => site.Code).Intersect(HookSite.Named.Select(site => site.Code))];

    private static JsonObject Report(Recipe recipe, RunOutcome outcome, string path, string? dump) => new()
    {
        ["out"] = path,
        ["dump"] = dump,
        ["recipe"] = JsonNode.Parse(recipe.ToJson()),
        ["seconds"] = new JsonObject(outcome.Timings.Select(timing => KeyValuePair.Create(timing.Stage, (JsonNode?)Math.Round(timing.Duration.TotalSeconds, 4)))),
    };
}
