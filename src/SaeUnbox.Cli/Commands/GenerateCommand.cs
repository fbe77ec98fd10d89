using System.CommandLine;
using SaeUnbox.Cli.Options;
using SaeUnbox.Cli.Output;

namespace SaeUnbox.Cli.Commands;

/// <summary><c>generate</c>: a recipe to a PNG that carries it.</summary>
internal static class GenerateCommand
{
    public static Command Create(Terminal terminal)
    {
        var model = new ModelArguments(DtypeChoice.Auto);
        var recipe = new RecipeArguments();
        var output = new Option<string>("--out", "-o") { Description = "The PNG to write; the recipe is inside it.", HelpName = "FILE", Required = true };
        var dump = new Option<string?>("--dump") { Description = "Also write the tensors of the run to this safetensors file: text.hidden, text.pooled, noise, step.N.latents, latents, image, and SITE.input and SITE.output of every site with an autoencoder (without any: of the demo's four).", HelpName = "FILE" };
        var json = new Option<bool>("--json") { Description = "Print the files, the recipe and the seconds of each stage as JSON." };
        var command = new Command("generate", "Make a picture, with features painted in.");
        model.AddTo(command);
        recipe.AddTo(command);
        foreach (var option in (Option[])[output, dump, json]) command.Add(option);
        command.SetGuardedAction(terminal, (parsed, cancellation) =>
        {
            var path = parsed.GetRequiredValue(output);
            var dumpPath = parsed.GetValue(dump);
            OutputFile.Require(path, "--out");
            if (dumpPath is not null) OutputFile.Require(dumpPath, "--dump");
            if (dumpPath is not null && Path.GetFullPath(dumpPath) == Path.GetFullPath(path)) throw new CliException($"--dump {dumpPath}: that is the picture's file, too.");
            var draft = recipe.ReadDraft(parsed);
            using var loaded = ModelSession.Load(terminal, model.Read(parsed, draft.File), cancellation);
            var made = recipe.Read(parsed, draft, loaded, model);
            if (draft.File is { } file && file.Model != made.Model)
                terminal.Note($"the recipe was made with the model '{file.Model}'; it runs on '{made.Model}'.");

            using var recorder = dumpPath is null ? null : new RunRecorder(SitesToDump(loaded));
            var outcome = ModelSession.Run(terminal, loaded, made, new RunRequest { Recorder = recorder }, cancellation);
            recorder?.Save(dumpPath!);
            OutputFile.Write(path, PictureFile.Png(outcome.Picture!, made));
            terminal.Output.WriteLine(parsed.GetValue(json) ? Json.Text(RunReport.Of(made, outcome, path, dumpPath)) : path);
        });
        return command;
    }

    // The sites with an autoencoder, or else the four that the demo names.
    private static IReadOnlyList<string> SitesToDump(LoadedModel model) => model.Saes.Count > 0
        ? [.. model.Saes.Keys.Select(site => site.Code)]
        : [.. model.Pipeline.UNet.Sites.Select(site => site.Code).Intersect(HookSite.Named.Select(site => site.Code))];
}
