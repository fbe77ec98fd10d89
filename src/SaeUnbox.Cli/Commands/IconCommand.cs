using System.CommandLine;
using SaeUnbox.Cli.Options;
using SaeUnbox.Cli.Output;
using SaeUnbox.Contracts;
using SaeUnbox.Inference;

namespace SaeUnbox.Cli.Commands;

/// <summary><c>icon</c>: a feature's portrait: no prompt, the site's contribution replaced by the feature everywhere.</summary>
internal static class IconCommand
{
    public static Command Create()
    {
        var model = new ModelArguments();
        var site = new Option<string>("--site") { Description = "The site, such as down.2.1.", HelpName = "SITE", Required = true };
        var feature = new Option<int>("--feature") { Description = "The feature's number.", HelpName = "N", Required = true };
        var seed = new Option<long>("--seed") { Description = "Seed of the noise (default 42).", HelpName = "N", DefaultValueFactory = _ => 42 };
        var output = new Option<string>("--out") { Description = "The PNG to write.", HelpName = "FILE", Required = true };
        var command = new Command("icon", "Draw what a feature looks like on its own.");
        model.AddTo(command);
        foreach (var option in (Option[])[site, feature, seed, output]) command.Add(option);
        command.Runs((parsed, cancellation) =>
        {
            var path = parsed.GetRequiredValue(output);
            OutputFile.Require(path, "--out");
            var code = parsed.GetRequiredValue(site);
            if (!HookSite.TryParse(code, out var place)) throw new CliException($"--site {code}: no site such as down.2.1, mid.0, up.0.0 or up.0.1.");
            using var loaded = ModelSession.Load(model.Read(parsed, null));
            var recipe = loaded.Info.NewRecipe() with
            {
                Seed = parsed.GetValue(seed),
                Dtype = model.Dtype(parsed),
                Vae = model.Vae(parsed),
                Interventions = [new SiteIntervention.Icon(place, parsed.GetRequiredValue(feature))],
            };
            using var runner = new RecipeRunner(loaded);
            var outcome = Terminal.WithProgress("generating", progress => runner.Run(
                recipe, new RunRequest { Progress = (done, all) => progress.Report(new(done, all)) }, cancellation));
            OutputFile.Write(path, PictureFile.Png(outcome.Picture!, recipe));
            Console.Out.WriteLine(path);
        });
        return command;
    }
}
