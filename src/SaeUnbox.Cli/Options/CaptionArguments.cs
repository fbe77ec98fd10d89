using System.Text.Json;
using SaeUnbox.Mini.Scenes;

namespace SaeUnbox.Cli.Options;

/// <summary>The options that choose the captions to run a model on.</summary>
internal sealed class CaptionArguments
{
    private readonly Option<string?> _file = Setting.Of<string?>("--captions", "FILE",
        "Captions: .txt (one per line), .json, .jsonl, .csv or .tsv (with caption, text or prompt, and optionally seed).");
    private readonly Option<int?> _generated =
        Setting.Of<int?>("--mini-captions", "N", "Generate N captions of unbox-mini's scenes instead.");
    private readonly Option<long> _seed = Setting.Of("--seed", "N", "Seed of the first caption; each next one gets the next number.", 42L);
    private readonly Option<int?> _limit =
        Setting.Of<int?>("--limit", "N", "Use the first N captions only; may be raised when a run continues.");

    public IReadOnlyList<Option> Options => [_file, _generated, _seed, _limit];

    /// <summary>Whether the options name any captions.</summary>
    public bool AreNamed(ParseResult parsed) => parsed.GetValue(_file) is not null || parsed.GetValue(_generated) is not null;

    /// <exception cref="CliException">The options name no captions, or two sources of them, or the file is broken.</exception>
    public IReadOnlyList<Caption> Read(ParseResult parsed)
    {
        var seed = Require.AtLeast(0, "--seed", parsed.GetValue(_seed));
        var limit = parsed.GetValue(_limit) is { } most ? Require.AtLeast(1, "--limit", most) : int.MaxValue;
        return (parsed.GetValue(_file), parsed.GetValue(_generated)) switch
        {
            ({ } path, null) => CaptionFile.Read(path, seed, limit),
            (null, { } count) => Generate(Math.Min(Require.AtLeast(1, "--mini-captions", count), limit), seed),
            _ => throw new CliException("say which captions: either --captions FILE or --mini-captions N."),
        };
    }

    /// <summary>Captions of unbox-mini's scenes.</summary>
    /// <param name="seed">The seed of the first; each next one gets the next number.</param>
    public static IReadOnlyList<Caption> Generate(int count, long seed)
    {
        var random = new Random(unchecked((int)seed));
        var mix = new SceneMix();
        return
        [
            .. Enumerable.Range(0, count).Select(number => new Caption(
                CaptionGrammar.Compose(SceneSampler.Draw(random, mix), random), CaptionFile.SeedOf(seed, number))),
        ];
    }
}

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
        using var stream = InputFile.Open(path);
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

/// <summary>Reads a table of separated values (RFC 4180), with quotes, doubled quotes, and line breaks inside quotes.</summary>
internal static class TableRecords
{
    // Without a limit, a quote that is never closed would read the whole file.
    private const int MostLines = 1000;

    /// <summary>The records that are not empty, each with the line it starts on.</summary>
    /// <exception cref="CliException">A quote is not closed, or text follows a closing quote.</exception>
    public static IEnumerable<(int Number, IReadOnlyList<string> Cells)> Read(string path, char separator)
    {
        var cells = new List<string>();
        var cell = new StringBuilder();
        var (quoted, closed, first) = (false, false, 0);
        foreach (var (number, line) in Utf8Lines.Read(path))
        {
            if (!quoted)
                first = number;
            else
                cell.Append('\n');
            if (number - first > MostLines)
                throw Unclosed();
            for (var i = 0; i < line.Length; i++)
            {
                var c = line[i];
                if (quoted && c == '"' && i + 1 < line.Length && line[i + 1] == '"')
                    cell.Append(line[++i]);
                else if (quoted && c == '"')
                    (quoted, closed) = (false, true);
                else if (quoted)
                    cell.Append(c);
                else if (c == separator)
                    EndCell();
                else if (closed)
                    throw new CliException(
                        $"{path}, line {number}: text follows a closing quote; double a quote that is part of the text.");
                else if (c == '"' && cell.Length == 0)
                    quoted = true;
                else
                    cell.Append(c);
            }
            if (quoted)
                continue;
            EndCell();
            if (cells.Count > 1 || cells[0].Length > 0)
                yield return (first, cells.ToArray());
            cells.Clear();
        }
        if (quoted)
            throw Unclosed();

        void EndCell()
        {
            cells.Add(cell.ToString());
            cell.Clear();
            closed = false;
        }

        CliException Unclosed() => new($"{path}, line {first}: a quote is not closed.");
    }
}

/// <summary>Reads the lines of a text file of any size one at a time.</summary>
internal static class Utf8Lines
{
    // In bytes. Captions are far shorter.
    private const int LongestLine = 1 << 20;

    /// <summary>Lines are numbered from 1, and come without line breaks and byte order mark.</summary>
    /// <exception cref="CliException">The file cannot be read, or a line is too long or not UTF-8; the message names it.</exception>
    public static IEnumerable<(int Number, string Text)> Read(string path)
    {
        using var stream = InputFile.Open(path);
        var line = new List<byte>();
        var buffer = new byte[1 << 16];
        var number = 1;
        for (int count; (count = stream.Read(buffer)) > 0;)
        {
            for (var start = 0; start < count;)
            {
                var length = buffer.AsSpan(start, count - start).IndexOf((byte)'\n');
                line.AddRange(buffer.AsSpan(start, length < 0 ? count - start : length));
                if (line.Count > LongestLine)
                    throw new CliException($"{path}, line {number}: longer than {LongestLine} bytes; write one caption per line.");
                if (length < 0)
                    break;
                yield return (number, Decode(path, number, line));
                number++;
                line.Clear();
                start += length + 1;
            }
        }
        if (line.Count > 0)
            yield return (number, Decode(path, number, line));
    }

    private static string Decode(string path, int number, List<byte> line)
    {
        try
        {
            var text = InputFile.Strict.GetString([.. line]).TrimEnd('\r');
            return number == 1 ? text.TrimStart('\uFEFF') : text;
        }
        catch (DecoderFallbackException)
        {
            throw new CliException($"{path}, line {number}: not valid UTF-8; save the file as UTF-8.");
        }
    }
}
