using System.CommandLine;
using SaeUnbox.Cli.Options;
using SaeUnbox.Cli.Output;

namespace SaeUnbox.Cli.Commands;

/// <summary><c>icon</c>: draws a feature without a prompt; the feature replaces what its site adds, everywhere.</summary>
internal static class IconCommand
{
    public static Command Create(Terminal terminal)
    {
        var model = new ModelArguments(DtypeChoice.Auto);
        var site = Setting.Required<string>("--site", "SITE", "The site, such as down.2.1.");
        var feature = Setting.Required<int>("--feature", "N", "The feature's number, counted from 0.");
        var seed = Setting.Of("--seed", "N", "Seed of the noise, 0 to 2^63-1.", 42L);
        var output = Setting.Output("FILE", "The PNG to write. It contains the recipe.");
        var json = Setting.Switch("--json", "Print the file, the recipe and the seconds of each stage as JSON.");
        var command = new Command("icon", "Draw a feature on its own: without a prompt, and with nothing but the feature at its site.");
        model.AddTo(command);
        command.Add(site, feature, seed, output, json);
        command.SetGuardedAction(terminal, (parsed, cancellation) =>
        {
            var path = parsed.GetRequiredValue(output);
            OutputFile.Require(path, "--out");
            var place = SiteArgument.Parse("--site", parsed.GetRequiredValue(site));
            using var loaded = ModelSession.Load(terminal, model.Read(parsed, null), cancellation);
            var recipe = loaded.Info.NewRecipe() with
            {
                Seed = parsed.GetValue(seed),
                Dtype = model.Dtype(parsed),
                Vae = model.Vae(parsed),
                Interventions = [new SiteIntervention.Icon(place, parsed.GetRequiredValue(feature))],
            };
            var outcome = ModelSession.Run(terminal, loaded, recipe, new RunRequest(), cancellation);
            OutputFile.Write(path, PictureFile.Png(outcome.Picture!, recipe));
            terminal.Output.WriteLine(parsed.GetValue(json) ? Json.Text(RunReport.Of(recipe, outcome, path)) : path);
        });
        return command;
    }
}
