using System.Text.Json;

namespace SaeUnbox.Cli.Commands;

/// <summary><c>evaluate --protocol rie</c>: edits pictures of pairs of prompts by features, as RIEBench does.</summary>
/// <param name="shared">The options that all evaluations have.</param>
internal sealed class RieEvaluation(EvaluateArguments shared)
{
    public const string Name = "rie";
    private const long LargestFile = 64 << 20;
    private const int MostPairs = 10_000;

    private readonly Option<string?> _protocol = Setting.Of<string?>("--protocol", "NAME",
        "rie: RIEBench's editing of pairs of prompts by features instead; writes rie.csv and rie.json.");
    private readonly Option<string?> _pairs = Setting.Of<string?>("--pairs", "FILE",
        "For --protocol: JSON lines with original, edited, and where they are, originalMask and editedMask (as in a recipe).");
    private readonly Option<string> _counts = Setting.Of("--counts", "N,…", "For --protocol: numbers of features.", "80,160,320,640");
    private readonly Option<string?> _neurons = Setting.Of<string?>("--neurons", "N,…",
        "For --protocol: numbers of neurons, such as 5000,80000 (default: none, since the neurons of two runs are kept in memory).");
    private readonly Option<string> _factors = Setting.Of("--factors", "X,…", "For --protocol: strengths.", "1,2");

    /// <summary>The options that only this evaluation has.</summary>
    public IReadOnlyList<Option> Options => [_protocol, _pairs, _counts, _neurons, _factors];

    public bool IsNamed(ParseResult parsed) => parsed.GetValue(_protocol) is not null;

    public void Run(Terminal terminal, ParseResult parsed, CancellationToken cancellation)
    {
        NamedValue.OneOf(_protocol.Name, parsed.GetRequiredValue(_protocol)!, [Name]);
        var folder = shared.Folder(parsed);
        var pairs = Read(parsed.GetValue(_pairs) ?? throw new CliException("--protocol rie needs --pairs FILE."));
        var settings = new RieSettings
        {
            Counts = NumberList.Parse("--counts", parsed.GetRequiredValue(_counts)),
            Neurons = parsed.GetValue(_neurons) is { } neurons ? NumberList.Parse(_neurons.Name, neurons) : [],
            Strengths = [.. parsed.GetRequiredValue(_factors).Split(',').Select(Factor)],
            Sites = shared.Sites(parsed),
        };
        using var loaded = ModelSession.Load(terminal, shared.Model.Read(parsed, null), cancellation);
        EvaluateArguments.Require(loaded, settings.Sites);
        using var clip = InputFolder.Read(parsed, shared.Clip) is { } path ? OnDevice.LoadClip(path, shared.Model.Device(parsed)) : null;
        var protocol = new RieProtocol(loaded, settings, clip);
        var rows = terminal.WithProgress("editing pairs", work => pairs.SelectMany((pair, index) =>
        {
            var measured = protocol.Measure(pair, cancellation);
            work.Report(index + 1, pairs.Count, () => "editing pairs");
            return measured.Select(row => (Pair: index, Row: row));
        }).ToArray());
        var report = Json.Text(Report(settings, pairs.Count, rows));
        OutputFile.WriteFolder(folder, inside =>
        {
            OutputFile.Write(Path.Combine(inside, "rie.csv"), Encoding.UTF8.GetBytes(Csv(rows)));
            OutputFile.Write(Path.Combine(inside, "rie.json"), Encoding.UTF8.GetBytes(report));
        }, []);
        terminal.Output.WriteLine(shared.IsJson(parsed) ? report : folder);
    }

    private static double Factor(string text) => PlainNumber.TryReal(text.Trim(), out var factor)
        ? factor
        : throw new CliException($"--factors {Line.Quote(text)}: use numbers, such as 1,2.");

    private static List<RiePair> Read(string path)
    {
        var text = InputFile.Text(path, InputFile.Read(path, LargestFile), "pairs are JSON lines in UTF-8");
        var pairs = new List<RiePair>();
        foreach (var (index, line) in text.Split('\n').Index().Where(line => !string.IsNullOrWhiteSpace(line.Item)))
            try
            {
                var pair = JsonSerializer.Deserialize<RiePair>(line, JsonSerializerOptions.Web);
                pairs.Add(pair is { Original: not null, Edited: not null }
                    ? pair
                    : throw new JsonException("original or edited is missing"));
            }
            catch (JsonException error)
            {
                throw new CliException($"--pairs {path}, line {index + 1}: {error.Message}");
            }
        return pairs.Count is >= 1 and <= MostPairs
            ? pairs
            : throw new CliException($"--pairs {path}: has {pairs.Count} pairs; 1 to {MostPairs} are expected.");
    }

    private static string Csv((int Pair, RieRow Row)[] rows)
    {
        var csv = new StringBuilder("pair,method,count,strength,inside,outside,clip\n");
        foreach (var (pair, row) in rows)
            csv.Append(CultureInfo.InvariantCulture,
                $"{pair},{row.Method},{row.Count},{row.Strength},{row.Inside:R},{row.Outside:R},{row.Clip:R}\n");
        return csv.ToString();
    }

    private static object Report(RieSettings settings, int pairs, (int Pair, RieRow Row)[] rows) => new
    {
        protocol = Name,
        steps = settings.Steps,
        guidance = 0,
        seed = settings.Seed,
        pairs,
        missing = Missing(rows),
        curves = rows.Select(one => one.Row).GroupBy(row => (row.Method, row.Strength, row.Count)).Select(curve => new
        {
            method = curve.Key.Method,
            strength = curve.Key.Strength,
            count = curve.Key.Count,
            inside = curve.Average(row => row.Inside),
            outside = curve.Average(row => row.Outside),
            clip = curve.Average(row => row.Clip),
        }),
    };

    private static IEnumerable<string> Missing((int Pair, RieRow Row)[] rows)
    {
        yield return "LPIPS: there are no weights for it; inside and outside are mean changes of the colours";
        if (rows.All(one => one.Row.Method != RieProtocol.Neurons))
            yield return "neurons: say how many with --neurons";
        if (rows.All(one => one.Row.Clip is null))
            yield return "CLIP: name a model with --clip";
    }
}
