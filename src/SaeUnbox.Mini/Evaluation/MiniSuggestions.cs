using System.Text.Json.Nodes;
using SaeUnbox.Mini.Scenes;

namespace SaeUnbox.Mini.Evaluation;

/// <summary>Suggests what to try on unbox-mini: prompts, and the concepts that are painted best, each at its own strength.</summary>
public static class MiniSuggestions
{
    private const double LeastShare = .75;

    // The noise of this seed has room for several things of each kind.
    private const int Side = 512, Grid = CellMask.Side, Seed = 10;

    /// <summary>Prompts, and the facts that they describe.</summary>
    internal static IReadOnlyList<(string Text, SceneFacts Facts)> Prompts { get; } =
    [
        ("a red house and a pine tree in a meadow, mountains behind", new()
            { Far = SceneFar.Mountains, Things = [new(ThingKind.House, ThingColor.Red), new(ThingKind.Pine)] }),
        ("boats at sea at sunset, clouds", new()
            { Ground = SceneGround.Sea, Time = SceneTime.Sunset, Things = [new(ThingKind.Boat)], Plural = true,
                SkyThings = [new(ThingKind.Cloud)] }),
        ("snowmen on snow at night, a city behind", new()
            { Ground = SceneGround.Snow, Time = SceneTime.Night, Far = SceneFar.City, Things = [new(ThingKind.Snowman)], Plural = true }),
        ("palm trees on the beach, hills behind, a clear sky",
            new() { Ground = SceneGround.Sand, Things = [new(ThingKind.Palm)], Plural = true, SkyThings = [] }),
        ("red mushrooms in a meadow at dawn, a forest behind", new()
            { Time = SceneTime.Dawn, Far = SceneFar.Forest, Things = [new(ThingKind.Mushroom, ThingColor.Red)], Plural = true }),
    ];

    /// <returns>A JSON array of objects with title and recipe, the best first.</returns>
    public static string Of(IEnumerable<Concept> concepts)
    {
        var best = concepts.Select(concept => (concept.Name, Site: concept.BestForPainting))
            .Where(one => one.Site?.Painting!.Share >= LeastShare).OrderByDescending(one => one.Site!.Painting!.Share);
        var entries = new JsonArray([Entry(Prompts[0].Text, Recipe(Prompts[0].Text))]);
        foreach (var (i, (name, site)) in best.Index())
        {
            var edit = site!.Edit(site.Painting!) with { Mask = Region(name) };
            entries.Add(Entry($"Paint {name}", Recipe(Unrelated(name, i + 1)) with { Edits = [edit] }));
        }
        foreach (var (text, _) in Prompts.Skip(1))
            entries.Add(Entry(text, Recipe(text)));
        return entries.ToJsonString(
            new() { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
    }

    private static JsonObject Entry(string title, Recipe recipe) =>
        new() { ["title"] = title, ["recipe"] = JsonNode.Parse(recipe.ToJson()) };

    private static Recipe Recipe(string prompt) =>
        new() { Model = "unbox-mini", Prompt = prompt, Seed = Seed, Width = Side, Height = Side };

    // Prompts take turns, so that a page shows all of them. Painting would have no visible effect if the element is already there.
    internal static string Unrelated(string name, int start)
    {
        var (element, scenes) = (Element(name), Prompts.Select(prompt => CaptionedScene.SceneOf(prompt.Facts, Seed)).ToArray());
        return Prompts[Enumerable.Range(start, scenes.Length).Select(i => i % scenes.Length).First(i => !element.IsIn(scenes[i]))].Text;
    }

    private static SteeringElement Element(string name) => SteeringElement.All.First(one => one.Name == name);

    // Where the element belongs: things in a slot of the layout, backdrops in their part of the picture.
    private static BrushMask Region(string element)
    {
        var kind = Element(element);
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
