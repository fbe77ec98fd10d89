using System.Globalization;
using System.Text.Json;

namespace SaeUnbox.Cli.Options;

/// <summary>
/// Captions from a file: <c>.txt</c>, one a line; <c>.jsonl</c>, a string or an object with <c>caption</c>, <c>text</c> or <c>prompt</c>
/// a line; <c>.csv</c>, with such a column. A <c>seed</c> there is the picture's; else it is the first seed and the caption's number.
/// Empty lines are passed over.
/// </summary>
internal static class CaptionFile
{
    private const string SeedName = "seed";

    private static readonly string[] TextNames = ["caption", "text", "prompt"];

    /// <param name="path">The file; more of it than wanted is not read.</param>
    /// <param name="seed">The seed of the first caption; the next has the next.</param>
    /// <param name="limit">Most captions.</param>
    /// <exception cref="CliException">The file holds no captions, or one that cannot be used; its line is named.</exception>
    public static IReadOnlyList<Caption> Read(string path, long seed, int limit)
    {
        var entries = Path.GetExtension(path).ToLowerInvariant() switch
        {
            ".jsonl" or ".ndjson" => Utf8Lines.Read(path).Where(line => line.Text.Trim().Length > 0).Select(line => (line.Number, FromJson(path, line.Number, line.Text))),
            ".csv" => FromCsv(path),
            _ => Utf8Lines.Read(path).Select(line => (line.Number, new Entry(line.Text, null))),
        };
        var captions = new List<Caption>();
        foreach (var (number, entry) in entries)
        {
            if (captions.Count == limit) break;
            var text = entry.Text.Trim();
            if (text.Length == 0) continue;
            if (text.Length > RecipeLimits.MaxPromptLength) throw Wrong(path, number, $"the caption has {text.Length} characters, {RecipeLimits.MaxPromptLength} at most can be used");
            captions.Add(new Caption(text, entry.Seed ?? SeedOf(seed, captions.Count)));
        }
        return captions.Count > 0 ? captions : throw new CliException($"{path} holds no captions.");
    }

    /// <summary>The seed of a caption that has none of its own.</summary>
    public static long SeedOf(long first, int number) => unchecked(first + number) & long.MaxValue;

    private static Entry FromJson(string path, int number, string line)
    {
        try
        {
            using var json = JsonDocument.Parse(line);
            var root = json.RootElement;
            if (root.ValueKind == JsonValueKind.String) return new Entry(root.GetString()!, null);
            if (root.ValueKind == JsonValueKind.Object)
            {
                foreach (var name in TextNames)
                {
                    if (root.TryGetProperty(name, out var text) && text.ValueKind == JsonValueKind.String)
                        return new Entry(text.GetString()!, root.TryGetProperty(SeedName, out var seed) ? Seed(path, number, seed.ToString()) : null);
                }
            }
            throw Wrong(path, number, $"a JSON string, or an object with one of {string.Join(", ", TextNames)}, is expected");
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            throw Wrong(path, number, "no valid JSON");
        }
    }

    private static IEnumerable<(int Number, Entry Entry)> FromCsv(string path)
    {
        var (text, seed) = (-1, -1);
        foreach (var (number, cells) in CsvRecords.Read(path))
        {
            if (text < 0)
            {
                var names = cells.Select(name => name.Trim().ToLowerInvariant()).ToList();
                text = TextNames.Select(name => names.IndexOf(name)).FirstOrDefault(column => column >= 0, -1);
                seed = names.IndexOf(SeedName);
                if (text < 0) throw Wrong(path, number, $"the first line must name the columns, one of them {string.Join(", ", TextNames)}");
                continue;
            }
            if (cells.Count <= text) throw Wrong(path, number, $"{cells.Count} cells, and the caption is number {text + 1}");
            yield return (number, new Entry(cells[text], seed >= 0 && seed < cells.Count && cells[seed].Length > 0 ? Seed(path, number, cells[seed]) : null));
        }
    }

    private static long Seed(string path, int number, string text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seed)
            ? seed
            : throw Wrong(path, number, $"the seed is no whole number from 0 to {long.MaxValue}");

    private static CliException Wrong(string path, int number, string why) => new($"{path}, line {number}: {why}.");

    private readonly record struct Entry(string Text, long? Seed);
}
