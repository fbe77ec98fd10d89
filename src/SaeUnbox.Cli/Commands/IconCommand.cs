using System.CommandLine;
using SaeUnbox.Cli.Options;
using SaeUnbox.Cli.Output;

namespace SaeUnbox.Cli.Commands;

/// <summary><c>icon</c>: a feature's portrait: no prompt, the site's contribution replaced by the feature everywhere.</summary>
internal static class IconCommand
{
    public static Command Create(Terminal terminal)
    {
        var model = new ModelArguments(DtypeChoice.Auto);
        var site = new Option<string>("--site") { Description = "The site, such as down.2.1.", HelpName = "SITE", Required = true };
        var feature = new Option<int>("--feature") { Description = "The feature's number, from 0.", HelpName = "N", Required = true };
        var seed = new Option<long>("--seed") { Description = "Seed of the noise, 0 to 2^63-1.", HelpName = "N", DefaultValueFactory = _ => 42 };
        var output = new Option<string>("--out", "-o") { Description = "The PNG to write; the recipe is inside it.", HelpName = "FILE", Required = true };
        var json = new Option<bool>("--json") { Description = "Print the file, the recipe and the seconds of each stage as JSON." };
        var command = new Command("icon", "Draw what a feature looks like on its own: no prompt, and nothing but the feature at its site.");
        model.AddTo(command);
        foreach (var option in (Option[])[site, feature, seed, output, json]) command.Add(option);
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
