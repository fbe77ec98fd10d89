using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using SaeUnbox.Mini.Scenes;

namespace SaeUnbox.Cli.Options;

/// <summary>The options that choose the captions to run a model on.</summary>
internal sealed class CaptionArguments
{
    private readonly Option<string?> _file = Setting.Of<string?>("--captions", "FILE",
        "Captions: .txt (one per line), .jsonl or .csv (with caption, text or prompt, and optionally seed).");
    private readonly Option<int?> _generated =
        Setting.Of<int?>("--mini-captions", "N", "Generate N captions of unbox-mini's scenes instead.");
    private readonly Option<long> _seed = Setting.Of("--seed", "N", "Seed of the first caption; each next one gets the next number.", 42L);
    private readonly Option<int?> _limit =
        Setting.Of<int?>("--limit", "N", "Use the first N captions only; may be raised when a run continues.");

    public void AddTo(Command command) => command.Add(_file, _generated, _seed, _limit);

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
/// Reads captions from a file: <c>.txt</c> with one per line, <c>.jsonl</c> with a string or an object with <c>caption</c>, <c>text</c> or
/// <c>prompt</c> per line, or <c>.csv</c> with such a column. <c>seed</c> is optional. Empty lines are skipped.
/// </summary>
internal static class CaptionFile
{
    private const string SeedName = "seed";

    private static readonly string[] TextNames = ["caption", "text", "prompt"];

    /// <param name="seed">The seed of the first caption without one of its own; each next one gets the next number.</param>
    /// <param name="limit">Reading stops after this many captions.</param>
    /// <exception cref="CliException">There are no captions, or one cannot be used; the message names its line.</exception>
    public static IReadOnlyList<Caption> Read(string path, long seed, int limit)
    {
        var entries = Path.GetExtension(path).ToLowerInvariant() switch
        {
            ".jsonl" or ".ndjson" => Utf8Lines.Read(path).Where(line => line.Text.Trim().Length > 0)
                .Select(line => (line.Number, FromJson(path, line.Number, line.Text))),
            ".csv" => FromCsv(path),
            _ => Utf8Lines.Read(path).Select(line => (line.Number, new Entry(line.Text, null))),
        };
        var captions = new List<Caption>();
        foreach (var (number, entry) in entries)
        {
            if (captions.Count == limit)
                break;
            var text = entry.Text.Trim();
            if (text.Length == 0)
                continue;
            if (text.Length > RecipeLimits.MaxPromptLength)
                throw Wrong(path, number, $"the caption has {text.Length} characters; at most {RecipeLimits.MaxPromptLength} are allowed");
            captions.Add(new Caption(text, entry.Seed ?? SeedOf(seed, captions.Count)));
        }
        return captions.Count > 0 ? captions : throw new CliException($"{path} contains no captions.");
    }

    /// <summary>The seed of a caption without one of its own.</summary>
    public static long SeedOf(long first, int number) => unchecked(first + number) & long.MaxValue;

    private static Entry FromJson(string path, int number, string line)
    {
        try
        {
            using var json = JsonDocument.Parse(line);
            var root = json.RootElement;
            if (root.ValueKind == JsonValueKind.String)
                return new Entry(root.GetString()!, null);
            if (root.ValueKind == JsonValueKind.Object)
            {
                foreach (var name in TextNames)
                {
                    if (root.TryGetProperty(name, out var text) && text.ValueKind == JsonValueKind.String)
                    {
                        var own = root.TryGetProperty(SeedName, out var seed) ? Seed(path, number, seed.ToString()) : (long?)null;
                        return new Entry(text.GetString()!, own);
                    }
                }
            }
            throw Wrong(path, number, $"expected a JSON string, or an object with {string.Join(", ", TextNames)}");
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            throw Wrong(path, number, "not valid JSON");
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
                if (text < 0)
                    throw Wrong(path, number, $"the first line must name the columns; one must be {string.Join(" or ", TextNames)}");
                continue;
            }
            if (cells.Count <= text)
                throw Wrong(path, number, $"{cells.Count} cells, but the caption is in cell {text + 1}");
            var hasSeed = seed >= 0 && seed < cells.Count && cells[seed].Length > 0;
            yield return (number, new Entry(cells[text], hasSeed ? Seed(path, number, cells[seed]) : null));
        }
    }

    private static long Seed(string path, int number, string text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seed)
            ? seed
            : throw Wrong(path, number, $"the seed is not a whole number from 0 to {long.MaxValue}");

    private static CliException Wrong(string path, int number, string why) => new($"{path}, line {number}: {why}.");

    private readonly record struct Entry(string Text, long? Seed);
}

/// <summary>Reads comma-separated values (RFC 4180), with quotes, doubled quotes, and line breaks inside quotes.</summary>
internal static class CsvRecords
{
    // Without a limit, a quote that is never closed would read the whole file.
    private const int MostLines = 1000;

    /// <summary>The records that are not empty, each with the line it starts on.</summary>
    /// <exception cref="CliException">A quote is not closed, or text follows a closing quote.</exception>
    public static IEnumerable<(int Number, IReadOnlyList<string> Cells)> Read(string path)
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
                else if (c == ',')
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

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Lines are numbered from 1, and come without line breaks and byte order mark.</summary>
    /// <exception cref="CliException">The file cannot be read, or a line is too long or not UTF-8; the message names it.</exception>
    public static IEnumerable<(int Number, string Text)> Read(string path)
    {
        using var stream = Open(path);
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

    private static FileStream Open(string path)
    {
        if (Directory.Exists(path))
            throw new CliException($"{path} is a folder; a file is expected.");
        if (!File.Exists(path))
            throw new CliException($"the file {path} is missing.");
        try
        {
            return File.OpenRead(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new CliException($"{path} cannot be read: {error.Message}");
        }
    }

    private static string Decode(string path, int number, List<byte> line)
    {
        try
        {
            var text = Strict.GetString([.. line]).TrimEnd('\r');
            return number == 1 ? text.TrimStart('\uFEFF') : text;
        }
        catch (DecoderFallbackException)
        {
            throw new CliException($"{path}, line {number}: not valid UTF-8; save the file as UTF-8.");
        }
    }
}
