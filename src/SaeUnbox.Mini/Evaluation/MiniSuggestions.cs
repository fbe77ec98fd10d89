using System.Text.Json.Nodes;
using SaeUnbox.Contracts;
using SaeUnbox.Mini.Scenes;

namespace SaeUnbox.Mini.Evaluation;

/// <summary>What is worth trying on unbox-mini, by what was measured: prompts, and features that do what they say where they are painted.</summary>
public static class MiniSuggestions
{
    private const double LeastSuccess = .5, LeastGain = .3, Strength = 8;
    // A seed whose noise leaves room for a few things of each kind.
    private const int Side = 256, Grid = CellMask.Side, Seed = 10;

    private static readonly string[] Prompts =
    [
        "a red house and a pine tree in a meadow, mountains behind", "boats at sea at sunset, clouds", "snowmen on snow at night, a city behind",
        "palm trees on the beach, hills behind", "red mushrooms in a meadow at dawn, a forest behind",
    ];

    /// <summary>A JSON array of titles and recipes, the best first.</summary>
    public static string Of(MiniEvaluationReport report)
    {
        var best = report.Steering.Where(one => one.Painted >= LeastSuccess && one.Painted - one.Before >= LeastGain)
            .GroupBy(one => one.Element).Select(group => group.MaxBy(one => one.Painted - one.PaintedOutside)!).OrderByDescending(one => one.Painted);
        var entries = new JsonArray([Entry(Prompts[0], Recipe(Prompts[0]))]);
        foreach (var (i, one) in best.Index())
            entries.Add(Entry($"Paint {one.Element}", Recipe(Unrelated(one.Element, i)) with { Edits = [new FeatureEdit(HookSite.Parse(one.Site), one.Feature, Strength) { Mask = Region(one.Element) }] }));
        foreach (var prompt in Prompts.Skip(1))
            entries.Add(Entry(prompt, Recipe(prompt)));
        return entries.ToJsonString(new() { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
    }

    private static JsonObject Entry(string title, Recipe recipe) => new() { ["title"] = title, ["recipe"] = JsonNode.Parse(recipe.ToJson()) };

    private static Recipe Recipe(string prompt) => new() { Model = "unbox-mini", Prompt = prompt, Seed = Seed, Width = Side, Height = Side };

    private static string Unrelated(string element, int start) => Enumerable.Range(start, Prompts.Length).Select(i => Prompts[i % Prompts.Length]).FirstOrDefault(prompt => !prompt.Contains(element, StringComparison.Ordinal)) ?? Prompts[0];

    // Where the element would be: things in a slot of the layout, backdrops in their part.
    private static BrushMask Region(string element)
    {
        var kind = SteeringElement.All.First(one => one.Name == element);
        var (top, bottom, left, right) = kind.Group switch
        {
            "ground" => (9, 16, 0, 16),
            "far" => (5, 9, 0, 16),
            "time" => (0, 9, 0, 16),
            "thing" when kind.Kind!.Value.IsOfSky() => (3, 7, 9, 13),
            "thing" => (11, 15, 8, 12),
            _ => (0, 16, 8, 16),
        };
        var cells = new float[Grid * Grid];
        for (var row = top; row < bottom; row++)
            cells.AsSpan(row * Grid + left, right - left).Fill(1);
        return BrushMask.FromCells(Grid, Grid, cells);
    }
}
