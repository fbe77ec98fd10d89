using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text;
using SaeUnbox.Mini.Scenes;

namespace SaeUnbox.Cli.Options;

/// <summary>Which captions a model is run on.</summary>
internal sealed class CaptionArguments
{
    private readonly Option<string?> captions = new("--captions") { Description = "Captions: .txt (one a line), .jsonl or .csv (caption, text or prompt; seed where there is one).", HelpName = "FILE" };
    private readonly Option<int?> grammar = new("--mini-captions") { Description = "So many captions of the mini model's scenes in place of a file.", HelpName = "N" };
    private readonly Option<long> seed = new("--seed") { Description = "Seed of the first caption; the next has the next.", HelpName = "N", DefaultValueFactory = _ => 42 };
    private readonly Option<int?> limit = new("--limit") { Description = "Most captions; may grow when a run goes on.", HelpName = "N" };

    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[captions, grammar, seed, limit]) command.Add(option);
    }

    /// <summary>Whether any captions are named.</summary>
    public bool AreNamed(ParseResult parsed) => parsed.GetValue(captions) is not null || parsed.GetValue(grammar) is not null;

    /// <exception cref="CliException">Not one source of captions is named, or it cannot be used.</exception>
    public IReadOnlyList<Caption> Read(ParseResult parsed)
    {
        var first = parsed.GetValue(seed) is >= 0 and var number ? number : throw new CliException($"--seed {parsed.GetValue(seed)}: use 0 or more.");
        var most = parsed.GetValue(limit) is { } some ? Whole.AtLeast(1, "--limit", some) : int.MaxValue;
        switch (parsed.GetValue(captions), parsed.GetValue(grammar))
        {
            case ({ } path, null):
                return CaptionFile.Read(path, first, most);
            case (null, { } count):
                return OfGrammar(Math.Min(Whole.AtLeast(1, "--mini-captions", count), most), first);
            default:
                throw new CliException("say which captions: either --captions FILE or --mini-captions N.");
        }
    }

    /// <summary>Captions of the mini model's scenes, and a seed for each.</summary>
    public static IReadOnlyList<Caption> OfGrammar(int count, long seed)
    {
        var random = new Random(unchecked((int)seed));
        var mix = new SceneMix();
        return [.. Enumerable.Range(0, count).Select(index => new Caption(CaptionGrammar.Compose(SceneSampler.Draw(random, mix), random), CaptionFile.SeedOf(seed, index)))];
    }
}

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

/// <summary>Comma-separated values (RFC 4180): quotes, doubled quotes, line ends inside quotes.</summary>
internal static class CsvRecords
{
    // A quote that is never closed would swallow the file.
    private const int MostLines = 1000;

    /// <summary>The records that hold anything, with the line each begins in.</summary>
    /// <exception cref="CliException">A quote is not closed, or text follows one.</exception>
    public static IEnumerable<(int Number, IReadOnlyList<string> Cells)> Read(string path)
    {
        var cells = new List<string>();
        var cell = new StringBuilder();
        var (quoted, closed, first) = (false, false, 0);
        foreach (var (number, line) in Utf8Lines.Read(path))
        {
            if (!quoted) first = number;
            else cell.Append('\n');
            if (number - first > MostLines) throw Unclosed();
            for (var i = 0; i < line.Length; i++)
            {
                var c = line[i];
                if (quoted && c == '"' && i + 1 < line.Length && line[i + 1] == '"') cell.Append(line[++i]);
                else if (quoted && c == '"') (quoted, closed) = (false, true);
                else if (quoted) cell.Append(c);
                else if (c == ',') EndCell();
                else if (closed) throw new CliException($"{path}, line {number}: text follows a closing quote; write a quote inside quotes twice.");
                else if (c == '"' && cell.Length == 0) quoted = true;
                else cell.Append(c);
            }
            if (quoted) continue;
            EndCell();
            if (cells.Count > 1 || cells[0].Length > 0) yield return (first, cells.ToArray());
            cells.Clear();
        }
        if (quoted) throw Unclosed();

        void EndCell()
        {
            cells.Add(cell.ToString());
            cell.Clear();
            closed = false;
        }

        CliException Unclosed() => new($"{path}, line {first}: a quote is not closed.");
    }
}

/// <summary>The lines of a text file of any size, one at a time.</summary>
internal static class Utf8Lines
{
    // A caption is far shorter; what is longer is no text of lines.
    private const int LongestLine = 1 << 20;

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Numbered from 1, without line ends and byte order mark.</summary>
    /// <exception cref="CliException">The file cannot be read, or a line is too long or no UTF-8; it is named.</exception>
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
                if (line.Count > LongestLine) throw new CliException($"{path}, line {number}: longer than {LongestLine} bytes; a caption a line is expected.");
                if (length < 0) break;
                yield return (number, Decode(path, number, line));
                number++;
                line.Clear();
                start += length + 1;
            }
        }
        if (line.Count > 0) yield return (number, Decode(path, number, line));
    }

    private static FileStream Open(string path)
    {
        if (Directory.Exists(path)) throw new CliException($"{path} is a folder; a file is expected.");
        if (!File.Exists(path)) throw new CliException($"the file {path} is missing.");
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
            throw new CliException($"{path}, line {number}: no valid UTF-8; save the file as UTF-8.");
        }
    }
}
