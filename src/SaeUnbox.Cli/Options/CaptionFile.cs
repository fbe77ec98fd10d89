using System.Text.Json;
using SaeUnbox.Cli.Output;

namespace SaeUnbox.Cli.Options;

/// <summary>
/// Reads captions from a file: lines (<c>.txt</c>), JSON (<c>.json</c>, <c>.jsonl</c>: an array, or a value per line, of strings or objects
/// with <c>caption</c>, <c>text</c> or <c>prompt</c>), or a table (<c>.csv</c>, <c>.tsv</c>) with such a column. <c>seed</c> is optional.
/// Within JSON and tables the content decides, not the ending. Empty captions are skipped.
/// </summary>
internal static class CaptionFile
{
    private const string SeedName = "seed";
    private const long LargestArray = 1 << 30;

    private static readonly string[] TextNames = ["caption", "text", "prompt"];

    /// <param name="seed">The seed of the first caption without one of its own; each next one gets the next number.</param>
    /// <param name="limit">Reading stops after this many captions.</param>
    /// <exception cref="CliException">There are no captions, or one cannot be used; the message names its line or entry.</exception>
    public static IReadOnlyList<Caption> Read(string path, long seed, int limit)
    {
        var captions = new List<Caption>();
        foreach (var (place, entry) in Entries(path))
        {
            if (captions.Count == limit)
                break;
            var text = entry.Text.Trim();
            if (text.Length == 0)
                continue;
            if (text.Length > RecipeLimits.MaxPromptLength)
                throw place.Wrong($"the caption has {text.Length} characters; at most {RecipeLimits.MaxPromptLength} are allowed");
            captions.Add(new Caption(text, entry.Seed ?? SeedOf(seed, captions.Count)));
        }
        return captions.Count > 0 ? captions : throw new CliException($"{path} contains no captions.");
    }

    /// <summary>The seed of a caption without one of its own.</summary>
    public static long SeedOf(long first, int number) => unchecked(first + number) & long.MaxValue;

    private static IEnumerable<(Place, Entry)> Entries(string path) => Path.GetExtension(path).ToLowerInvariant() switch
    {
        ".txt" or "" => FromLines(path),
        ".json" or ".jsonl" or ".ndjson" => StartsArray(path) ? FromArray(path) : FromJsonLines(path),
        ".csv" => FromTable(path, [',', '\t', ';']),
        ".tsv" or ".tab" => FromTable(path, ['\t', ',', ';']),
        var ending => throw new CliException(
            $"{path}: captions are not read from {Line.Quote(ending)} files; use .txt, .json, .jsonl, .csv or .tsv."),
    };

    private static IEnumerable<(Place, Entry)> FromLines(string path)
    {
        var isFirst = true;
        foreach (var (number, line) in Utf8Lines.Read(path))
        {
            var place = new Place(path, "line", number);
            if (isFirst && line.Trim() is { Length: > 0 } start)
            {
                isFirst = false;
                if (start is "[" or "{"
                    || start.StartsWith("[{", StringComparison.Ordinal)
                    || start.StartsWith("[\"", StringComparison.Ordinal)
                    || start.StartsWith("{\"", StringComparison.Ordinal))
                    throw place.Wrong("this is JSON, not a caption; end the file's name in .json or .jsonl");
                foreach (var (separator, ending) in new[] { ('\t', ".tsv"), (',', ".csv") })
                    if (start.Contains(separator) && NamesColumn(start, separator))
                        throw place.Wrong($"these are a table's columns, not a caption; end the file's name in {ending}");
            }
            yield return (place, new Entry(line, null));
        }
    }

    private static bool StartsArray(string path)
    {
        using var stream = Utf8Lines.Open(path);
        int next;
        do
            next = stream.ReadByte();
        while (next is ' ' or '\t' or '\r' or '\n' or 0xEF or 0xBB or 0xBF);
        return next == '[';
    }

    private static IEnumerable<(Place, Entry)> FromArray(string path)
    {
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(InputFile.Text(path, InputFile.Read(path, LargestArray), "captions are UTF-8 text"));
        }
        catch (JsonException error)
        {
            throw new CliException($"{path}, line {error.LineNumber + 1}: the JSON array is not valid.");
        }
        using (document)
        {
            foreach (var (index, element) in document.RootElement.EnumerateArray().Index())
            {
                var place = new Place(path, "entry", index + 1);
                yield return (place, ToEntry(place, element));
            }
        }
    }

    private static IEnumerable<(Place, Entry)> FromJsonLines(string path)
    {
        foreach (var (number, line) in Utf8Lines.Read(path).Where(line => line.Text.Trim().Length > 0))
        {
            var place = new Place(path, "line", number);
            yield return (place, OfLine(place, line));
        }

        static Entry OfLine(Place place, string line)
        {
            try
            {
                using var json = JsonDocument.Parse(line);
                return ToEntry(place, json.RootElement);
            }
            catch (JsonException)
            {
                throw place.Wrong("not valid JSON; write an array, or one string or object per line");
            }
        }
    }

    private static Entry ToEntry(Place place, JsonElement json)
    {
        try
        {
            if (json.ValueKind == JsonValueKind.String)
                return new Entry(json.GetString()!, null);
            if (json.ValueKind == JsonValueKind.Object)
            {
                foreach (var name in TextNames)
                    if (json.TryGetProperty(name, out var text) && text.ValueKind == JsonValueKind.String)
                        return new Entry(text.GetString()!, SeedOf(place, json));
            }
        }
        catch (InvalidOperationException)
        {
            throw place.Wrong("not valid JSON: it contains an unpaired surrogate");
        }
        throw place.Wrong($"expected a JSON string, or an object with {string.Join(", ", TextNames)}");
    }

    private static long? SeedOf(Place place, JsonElement json) =>
        !json.TryGetProperty(SeedName, out var seed) || seed.ValueKind == JsonValueKind.Null ? null : Seed(place, seed.ToString());

    private static IEnumerable<(Place, Entry)> FromTable(string path, char[] separators)
    {
        var header = Utf8Lines.Read(path).FirstOrDefault(line => line.Text.Length > 0);
        if (header.Text is null)
            yield break;
        var separator = Array.Find(separators, one => NamesColumn(header.Text, one));
        if (separator == default)
            throw new Place(path, "line", header.Number).Wrong(
                $"the first line must name the columns; one must be {string.Join(" or ", TextNames)}");
        var (text, seed) = (-1, -1);
        foreach (var (number, cells) in TableRecords.Read(path, separator))
        {
            var place = new Place(path, "line", number);
            if (text < 0)
            {
                var names = cells.Select(name => name.Trim().ToLowerInvariant()).ToList();
                text = TextNames.Select(name => names.IndexOf(name)).First(column => column >= 0);
                seed = names.IndexOf(SeedName);
                continue;
            }
            if (cells.Count <= text)
                throw place.Wrong($"{cells.Count} cells, but the caption is in cell {text + 1}");
            var hasSeed = seed >= 0 && seed < cells.Count && cells[seed].Length > 0;
            yield return (place, new Entry(cells[text], hasSeed ? Seed(place, cells[seed]) : null));
        }
    }

    private static bool NamesColumn(string header, char separator) => header.Split(separator)
        .Any(name => TextNames.Contains(name.Trim().Trim('"').Trim(), StringComparer.OrdinalIgnoreCase));

    private static long Seed(Place place, string text) => PlainNumber.TryWhole(text.Trim(), out long seed) && seed >= 0
        ? seed
        : throw place.Wrong($"the seed is not a whole number from 0 to {long.MaxValue}");

    private readonly record struct Entry(string Text, long? Seed);

    private readonly record struct Place(string Path, string Unit, int Number)
    {
        public CliException Wrong(string why) => new($"{Path}, {Unit} {Number}: {why}.");
    }
}
