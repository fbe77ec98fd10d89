using System.Text.Json.Nodes;

namespace SaeUnbox.Cli.Commands;

/// <summary>What <c>--json</c> prints of a run: the files, the recipe, and the seconds of each stage.</summary>
internal static class RunReport
{
    public static JsonObject Of(Recipe recipe, RunOutcome outcome, string picture, string? dump = null) => new()
    {
        ["out"] = picture,
        ["dump"] = dump,
        ["recipe"] = JsonNode.Parse(recipe.ToJson()),
        ["seconds"] = new JsonObject(outcome.Timings.Select(timing => KeyValuePair.Create(timing.Stage, (JsonNode?)Math.Round(timing.Duration.TotalSeconds, 4)))),
    };
}
