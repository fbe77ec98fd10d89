namespace SaeUnbox.Cli.Commands;

/// <summary><c>explore</c>: shows which features are active in a picture, and where.</summary>
internal static class ExploreCommand
{
    public static Command Create(Terminal terminal)
    {
        var model = new ModelArguments(DtypeChoice.Auto);
        var recipe = new RecipeArguments();
        var output = Setting.Output("DIR", "Folder for image.png, features.json, heatmaps/SITE/FEATURE.png and activations.safetensors.");
        var step = Setting.Of<int?>("--step", "N", "The denoising step to show, counted from 0 (default: the last).");
        var top = Setting.Of("--top", "N", "Features of each site to list and draw.", 10);
        var json = Setting.Switch("--json", "Print features.json.");
        return terminal.NewCommand("explore", "Make a picture, and list the active features of each site, with heatmaps.",
            [.. model.Options, .. recipe.All, output, step, top, json], (parsed, cancellation) =>
        {
            var folder = parsed.GetRequiredValue(output);
            OutputFile.RequireFolder(folder, "--out");
            var count = Require.AtLeast(1, "--top", parsed.GetValue(top));
            var draft = recipe.ReadDraft(parsed);
            using var loaded = ModelSession.Load(terminal, model.Read(parsed, draft.File), cancellation);
            if (loaded.Saes.Count + loaded.TextSaes.Count == 0)
                throw new CliException("exploring needs sparse autoencoders; name their folder with --saes.");
            var made = recipe.Read(parsed, draft, loaded, model);
            var shown = parsed.GetValue(step) ?? made.Steps - 1;
            if (shown < 0 || shown >= made.Steps)
                throw new CliException($"--step {shown}: the run has the steps 0 to {made.Steps - 1}.");

            var outcome = ModelSession.Run(terminal, loaded, made,
                new RunRequest { Read = [.. loaded.TextSaes.Keys, .. loaded.Saes.Keys] }, cancellation);
            var maps = outcome.Maps.All.Where(map => map.Site.IsText || map.Step == shown).ToArray();
            var features = Json.Text(Features(made, loaded.Info, shown, maps, count));
            OutputFile.WriteFolder(folder, inside => Write(inside, made, outcome.Picture!, maps, features, count), OldHeatmaps(folder));
            terminal.Output.Write(parsed.GetValue(json) ? features + Environment.NewLine : Table(loaded.Info, maps, count));
        });
    }

    private static IEnumerable<string> OldHeatmaps(string folder) => Path.Combine(folder, "heatmaps") is var all && Directory.Exists(all)
        ? Directory.EnumerateDirectories(all).Where(site => Site.TryParse(Path.GetFileName(site), out _))
            .SelectMany(OutputFile.Pictures)
            .Where(file => Path.GetFileNameWithoutExtension(file).All(char.IsAsciiDigit))
        : [];

    private static void Write(string folder, Recipe recipe, Picture picture, SiteActivations[] maps, string features, int count)
    {
        OutputFile.Write(Path.Combine(folder, "image.png"), PictureFile.Png(picture, recipe));
        foreach (var map in maps.Where(map => !map.Site.IsText))
        {
            var heatmaps = Directory.CreateDirectory(Path.Combine(folder, "heatmaps", map.Site.Code)).FullName;
            foreach (var feature in map.Top(count))
            {
                var drawn = HeatmapOverlay.Draw(picture, map.Map(feature.Feature), map.Rows, map.Columns);
                OutputFile.Write(Path.Combine(heatmaps, $"{feature.Feature}.png"), Png.Encode(drawn));
            }
        }
        OutputFile.Write(Path.Combine(folder, "activations.safetensors"), ActivationMapFile.OfStep(maps));
        OutputFile.Write(Path.Combine(folder, "features.json"), Encoding.UTF8.GetBytes(features));
    }

    private static object Features(Recipe recipe, ModelInfo model, int step, SiteActivations[] maps, int count) => new
    {
        recipe,
        step,
        sites = maps.ToDictionary(map => map.Site.Code, map => new
        {
            nickname = model.Find(map.Site)?.Nickname,
            rows = map.Rows,
            columns = map.Columns,
            k = map.K,
            features = map.Top(count).Select(feature => new
            {
                feature = feature.Feature,
                mean = feature.Mean,
                max = feature.Max,
                share = feature.Share,
                heatmap = map.Site.IsText ? null : $"heatmaps/{map.Site}/{feature.Feature}.png",
            }),
        }),
    };

    private static string Table(ModelInfo model, SiteActivations[] maps, int count)
    {
        var text = new StringBuilder();
        foreach (var map in maps)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"{map.Site}  {model.Find(map.Site)?.Nickname}");
            text.AppendLine("  feature      mean       max   share");
            foreach (var feature in map.Top(count))
                text.AppendLine(CultureInfo.InvariantCulture,
                    $"  {feature.Feature,7} {feature.Mean,9:0.0000} {feature.Max,9:0.0000} {feature.Share,6:0 %}");
        }
        return text.ToString();
    }
}
