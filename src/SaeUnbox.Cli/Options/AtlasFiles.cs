using System.Text.Json;

namespace SaeUnbox.Cli.Options;

/// <summary>What an atlas may be given from outside: names of features, and what to try.</summary>
internal static class AtlasFiles
{
    private const long Largest = 64 << 20;

    /// <exception cref="CliException">The file cannot be read, or holds something else.</exception>
    public static IReadOnlyDictionary<(HookSite Site, int Feature), string> Names(string path) => Read(path, root => root.EnumerateObject()
        .SelectMany(site => site.Value.EnumerateObject().Select(feature => (Key: (HookSite.Parse(site.Name), int.Parse(feature.Name, System.Globalization.CultureInfo.InvariantCulture)), Name: feature.Value.GetString()!)))
        .ToDictionary(entry => entry.Key, entry => entry.Name));

    /// <exception cref="CliException">The file cannot be read, or holds something else.</exception>
    public static IReadOnlyList<Suggestion> Suggestions(string path) => Read<IReadOnlyList<Suggestion>>(path, root =>
        [.. root.EnumerateArray().Select(entry => new Suggestion(entry.GetProperty("title").GetString()!, Recipe.FromJson(entry.GetProperty("recipe").GetRawText())))]);

    private static T Read<T>(string path, Func<JsonElement, T> read)
    {
        try
        {
            using var document = JsonDocument.Parse(InputFile.Read(path, Largest));
            return read(document.RootElement);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or KeyNotFoundException or FormatException or RecipeException or ArgumentException)
        {
            throw new CliException($"{path} cannot be used: {exception.Message}");
        }
    }
}
