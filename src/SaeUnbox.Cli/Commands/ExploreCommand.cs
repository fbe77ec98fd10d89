using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using SaeUnbox.Cli.Options;
using SaeUnbox.Cli.Output;
using TorchSharp;

namespace SaeUnbox.Cli.Commands;

/// <summary><c>explore</c>: which features are active in a picture, and where.</summary>
internal static class ExploreCommand
{
    public static Command Create(Terminal terminal)
    {
        var model = new ModelArguments(DtypeChoice.Auto);
        var recipe = new RecipeArguments();
        var output = new Option<string>("--out", "-o") { Description = "The folder to write to: image.png, features.json, heatmaps/SITE/FEATURE.png, activations.safetensors.", HelpName = "DIR", Required = true };
        var step = new Option<int?>("--step") { Description = "The denoising step to look at, from 0 (default: the last).", HelpName = "N" };
        var top = new Option<int>("--top") { Description = "Features listed and drawn for each site.", HelpName = "N", DefaultValueFactory = _ => 10 };
        var json = new Option<bool>("--json") { Description = "Print features.json." };
        var command = new Command("explore", "Make a picture and list, for each site, the features active in it, with heatmaps.");
        model.AddTo(command);
        recipe.AddTo(command);
        foreach (var option in (Option[])[output, step, top, json]) command.Add(option);
        command.SetGuardedAction(terminal, (parsed, cancellation) =>
        {
            var folder = parsed.GetRequiredValue(output);
            OutputFile.RequireFolder(folder, "--out");
            var count = parsed.GetValue(top) is >= 1 and var wanted ? wanted : throw new CliException($"--top {parsed.GetValue(top)}: use 1 or more.");
            var draft = recipe.ReadDraft(parsed);
            using var loaded = ModelSession.Load(terminal, model.Read(parsed, draft.File), cancellation);
            if (loaded.Saes.Count == 0) throw new CliException("there are no sparse autoencoders to look through; give a folder of them with --saes.");
            var made = recipe.Read(parsed, draft, loaded, model);
            var looked = parsed.GetValue(step) ?? made.Steps - 1;
            if (looked < 0 || looked >= made.Steps) throw new CliException($"--step {looked}: the run has the steps 0 to {made.Steps - 1}.");

            var outcome = ModelSession.Run(terminal, loaded, made, new RunRequest { Read = [.. loaded.Saes.Keys] }, cancellation);
            var maps = outcome.Maps.All.Where(map => map.Step == looked).ToArray();
            var features = Features(made, maps, count);
            OutputFile.WriteFolder(folder, inside => Write(inside, made, outcome.Picture!, maps, features, count), Heatmaps(folder));
            terminal.Output.Write(parsed.GetValue(json) ? Json.Text(features) + Environment.NewLine : Table(maps, count));
        });
        return command;
    }

    private static IEnumerable<string> Heatmaps(string folder) => Path.Combine(folder, "heatmaps") is var all && Directory.Exists(all)
        ? Directory.EnumerateDirectories(all).Where(site => HookSite.TryParse(Path.GetFileName(site), out _)).SelectMany(OutputFile.Pictures)
            .Where(file => Path.GetFileNameWithoutExtension(file).All(char.IsAsciiDigit))
        : [];

    private static void Write(string folder, Recipe recipe, Picture picture, SiteActivations[] maps, JsonObject features, int count)
    {
        OutputFile.Write(Path.Combine(folder, "image.png"), PictureFile.Png(picture, recipe));
        foreach (var map in maps)
        {
            var heatmaps = Directory.CreateDirectory(Path.Combine(folder, "heatmaps", map.Site.Code)).FullName;
            foreach (var feature in map.Top(count))
            {
                var drawn = HeatmapOverlay.Draw(picture, map.Map(feature.Feature), map.Rows, map.Columns);
                OutputFile.Write(Path.Combine(heatmaps, $"{feature.Feature}.png"), Png.Encode(drawn));
            }
        }
        using var scope = torch.NewDisposeScope();
        SafetensorsWriter.Write(Path.Combine(folder, "activations.safetensors"), Tensors(maps));
        OutputFile.Write(Path.Combine(folder, "features.json"), Encoding.UTF8.GetBytes(Json.Text(features)));
    }

    // SITE.indices and SITE.values, [rows, columns, k].
    private static IEnumerable<KeyValuePair<string, torch.Tensor>> Tensors(SiteActivations[] maps)
    {
        foreach (var map in maps)
        {
            long[] shape = [map.Rows, map.Columns, map.K];
            yield return KeyValuePair.Create($"{map.Site}.indices", torch.tensor(map.Indices.ToArray(), shape));
            yield return KeyValuePair.Create($"{map.Site}.values", torch.tensor(map.Values.ToArray(), shape));
        }
    }

    private static JsonObject Features(Recipe recipe, SiteActivations[] maps, int count) => new()
    {
        ["recipe"] = JsonNode.Parse(recipe.ToJson()),
        ["step"] = maps[0].Step,
        ["sites"] = new JsonObject(maps.Select(map => KeyValuePair.Create(map.Site.Code, (JsonNode?)new JsonObject
        {
            ["nickname"] = map.Site.Nickname,
            ["rows"] = map.Rows,
            ["columns"] = map.Columns,
            ["k"] = map.K,
            ["features"] = new JsonArray([.. map.Top(count).Select(feature => (JsonNode)new JsonObject
            {
                ["feature"] = feature.Feature,
                ["mean"] = feature.Mean,
                ["max"] = feature.Max,
                ["share"] = feature.Share,
                ["heatmap"] = $"heatmaps/{map.Site}/{feature.Feature}.png",
            })]),
        }))),
    };

    private static string Table(SiteActivations[] maps, int count)
    {
        var text = new StringBuilder();
        foreach (var map in maps)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"{map.Site}  {map.Site.Nickname}");
            text.AppendLine("  feature      mean       max   share");
            foreach (var feature in map.Top(count))
                text.AppendLine(CultureInfo.InvariantCulture, $"  {feature.Feature,7} {feature.Mean,9:0.0000} {feature.Max,9:0.0000} {feature.Share,6:0 %}");
        }
        return text.ToString();
    }
}
