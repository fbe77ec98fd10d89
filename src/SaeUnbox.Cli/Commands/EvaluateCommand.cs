using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using System.Text;
using SaeUnbox.Cli.Options;
using SaeUnbox.Cli.Output;
using SaeUnbox.Mini.Evaluation;

namespace SaeUnbox.Cli.Commands;

/// <summary><c>evaluate</c>: how well autoencoders explain a picture, and what their features do to it.</summary>
internal sealed class EvaluateCommand
{
    private const int Columns = 8, TileSide = 192;
    private const string AblationFolder = "ablation", StrengthsFolder = "strengths";

    private readonly ModelArguments model = new(DtypeChoice.Fp32);
    private readonly RecipeArguments recipe = new();
    private readonly Option<string[]> sites = new("--site") { Description = "A site; may be given several times (default: every autoencoder's).", HelpName = "SITE" };
    private readonly Option<int> top = new("--top") { Description = "Active features of each site that are taken out and painted, the most active first.", HelpName = "N", DefaultValueFactory = _ => 16 };
    private readonly Option<double> strength = new("--strength") { Description = "Strength of painting, for the change inside and outside of the mask.", HelpName = "X", DefaultValueFactory = _ => 10 };
    private readonly Option<string?> mask = new("--mask") { Description = "Where it is painted: a PNG of the picture's size, or JSON rows (default: the middle quarter).", HelpName = "MASK" };
    private readonly Option<string[]> features = new("--feature") { Description = "SITE:FEATURE, drawn at every strength and seed; may be given several times (default: each site's most active).", HelpName = "FEATURE" };
    private readonly Option<string> strengths = new("--strengths") { Description = "Its strengths, with commas.", HelpName = "X,…", DefaultValueFactory = _ => "-20,-10,-5,0,5,10,20" };
    private readonly Option<int> seeds = new("--seeds") { Description = "Its seeds, from the recipe's on.", HelpName = "N", DefaultValueFactory = _ => 3 };
    private readonly Option<string> output = new("--out", "-o") { Description = "The folder to write to: report.json, ablation/SITE.png, strengths/SITE-FEATURE.png.", HelpName = "DIR", Required = true };
    private readonly Option<bool> json = new("--json") { Description = "Print report.json." };

    public static Command Create(Terminal terminal)
    {
        var options = new EvaluateCommand();
        var command = new Command("evaluate", "Measure what the features of a model do to a picture: explained variance, taking out, painting, strengths.");
        options.model.AddTo(command);
        options.recipe.AddTo(command);
        foreach (var option in (Option[])[options.sites, options.top, options.strength, options.mask, options.features, options.strengths, options.seeds, options.output, options.json]) command.Add(option);
        command.SetGuardedAction(terminal, (parsed, cancellation) => options.Run(terminal, parsed, cancellation));
        return command;
    }

    private void Run(Terminal terminal, ParseResult parsed, CancellationToken cancellation)
    {
        var folder = parsed.GetRequiredValue(output);
        OutputFile.RequireFolder(folder, "--out");
        var count = Whole.Between("--top", parsed.GetValue(top), 1, 1000);
        var seedCount = Whole.Between("--seeds", parsed.GetValue(seeds), 1, 100);
        var tried = Strengths(parsed.GetRequiredValue(strengths));
        var named = (parsed.GetValue(sites) ?? []).Select(code => SiteArgument.Parse("--site", code)).Distinct().ToArray();
        var drawn = (parsed.GetValue(features) ?? []).Select(Feature).ToArray();
        var draft = recipe.ReadDraft(parsed);
        using var loaded = ModelSession.Load(terminal, model.Read(parsed, draft.File), cancellation);
        if (loaded.Saes.Count == 0) throw new CliException("there are no sparse autoencoders to measure; give a folder of them with --saes.");
        var made = recipe.Read(parsed, draft, loaded, model);
        foreach (var site in named.Concat(drawn.Select(one => one.Site)))
            if (!loaded.Saes.ContainsKey(site)) throw new CliException($"there is no sparse autoencoder for {site}; there are those for {string.Join(", ", loaded.Saes.Keys)}.");
        HookSite[] measured = named.Length > 0 ? named : [.. loaded.Saes.Keys];
        RecipeFit.Require(made with { Edits = [.. made.Edits, .. drawn.Select(one => new FeatureEdit(one.Site, one.Feature, tried[0])), new FeatureEdit(measured[0], 0, parsed.GetValue(strength))] }, loaded);

        using var effects = new FeatureEffects(loaded, made);
        var report = terminal.WithProgress("evaluating", bar =>
        {
            var work = new LongWork(terminal, bar);
            var plain = effects.Plain(cancellation);
            if (drawn.Length == 0) drawn = [.. measured.Select(site => (site, plain.Maps.Find(site)!.Top(1).Single().Feature))];
            var (done, all) = (0, (2 * measured.Length * count) + drawn.Length);
            var found = new JsonObject();
            OutputFile.WriteFolder(folder, inside =>
            {
                var explained = effects.Explained(cancellation).ToDictionary(one => one.Site);
                foreach (var site in measured)
                    found[site.Code] = Measure(site, explained[site], inside, () => work.Report(++done, all, () => $"features of {site}"));
                foreach (var (site, feature) in drawn)
                {
                    work.Report(++done, all, () => $"strengths of {site} {feature}");
                    var pictures = effects.Strengths(site, feature, tried, [.. Enumerable.Range(0, seedCount).Select(i => made.Seed + i)], cancellation);
                    Save(inside, StrengthsFolder, $"{site}-{feature}.png", pictures, tried.Count);
                }
                OutputFile.Write(Path.Combine(inside, "image.png"), PictureFile.Png(plain.Picture!, made));
                var whole = new JsonObject
                {
                    ["recipe"] = JsonNode.Parse(made.ToJson()), ["strength"] = parsed.GetValue(strength), ["sites"] = found,
                    ["strengths"] = new JsonArray([.. tried.Select(x => (JsonNode)x)]),
                    ["drawn"] = new JsonArray([.. drawn.Select(one => (JsonNode)$"{StrengthsFolder}/{one.Site}-{one.Feature}.png")]),
                };
                OutputFile.Write(Path.Combine(inside, "report.json"), Encoding.UTF8.GetBytes(Json.Text(whole)));
            }, Sheets(folder));
            return found;

            JsonObject Measure(HookSite site, SiteExplained explained, string inside, Action step)
            {
                var painted = Mask(terminal, parsed, made, loaded, site);
                var ablations = effects.Ablations(site, count, cancellation).Select(one => { step(); return one; }).ToArray();
                var leakages = effects.Leakages(site, ablations.Select(one => one.Feature), parsed.GetValue(strength), painted, cancellation).Select(one => { step(); return one; }).ToArray();
                var ordered = ablations.OrderByDescending(one => one.Change).ToArray();
                if (ordered.Length > 0) Save(inside, AblationFolder, $"{site}.png", [plain.Picture!, .. ordered.Select(one => one.Picture)], Columns);
                return new()
                {
                    ["explainedVariance"] = new JsonObject { ["perChannel"] = explained.PerChannel, ["pooled"] = explained.Pooled },
                    ["sheet"] = $"{AblationFolder}/{site}.png",
                    ["features"] = new JsonArray([.. ordered.Select(one =>
                    {
                        var leakage = leakages.Single(other => other.Feature == one.Feature);
                        return (JsonNode)new JsonObject
                        {
                            ["feature"] = one.Feature, ["mean"] = one.Mean, ["share"] = one.Share, ["changeWithout"] = one.Change,
                            ["inside"] = leakage.Inside, ["outside"] = leakage.Outside, ["leakage"] = leakage.Ratio,
                        };
                    })]),
                };
            }
        });
        terminal.Output.Write(parsed.GetValue(json) ? File.ReadAllText(Path.Combine(folder, "report.json")) + Environment.NewLine : Table(report));
    }

    private BrushMask Mask(Terminal terminal, ParseResult parsed, Recipe made, LoadedModel loaded, HookSite site)
    {
        var (rows, columns) = loaded.Info.Find(site)!.Grid(made.Width, made.Height);
        if (parsed.GetValue(mask) is { } given)
        {
            var read = MaskFile.Read(given, made, (rows, columns));
            if (read.IsBlank) terminal.Note($"the mask {Line.Quote(given)} is blank: painting at {site} changes nothing.");
            return read;
        }
        var cells = new float[rows * columns];
        for (var row = rows / 4; row < Math.Max((rows / 4) + 1, rows * 3 / 4); row++)
            cells.AsSpan((row * columns) + (columns / 4), Math.Max(1, (columns * 3 / 4) - (columns / 4))).Fill(1);
        return BrushMask.FromCells(rows, columns, cells);
    }

    private static IEnumerable<string> Sheets(string folder) => ((string[])[AblationFolder, StrengthsFolder])
        .SelectMany(part => OutputFile.Pictures(Path.Combine(folder, part)))
        .Where(file => HookSite.TryParse(Path.GetFileNameWithoutExtension(file).Split('-')[0], out _));

    private static void Save(string folder, string part, string name, IReadOnlyList<Picture> pictures, int columns)
    {
        Directory.CreateDirectory(Path.Combine(folder, part));
        OutputFile.Write(Path.Combine(folder, part, name), Png.Encode(PictureSheet.Of(pictures, columns, TileSide)));
    }

    private static string Table(JsonObject sites)
    {
        var text = new StringBuilder();
        foreach (var (site, found) in sites)
        {
            var explained = found!["explainedVariance"]!;
            text.AppendLine(CultureInfo.InvariantCulture, $"{site}  explained variance {(double)explained["perChannel"]!:0.0000} (per channel), {(double)explained["pooled"]!:0.0000} (pooled)");
            text.AppendLine("  feature      mean  share   without   inside  outside  leakage");
            foreach (var one in found["features"]!.AsArray())
                text.AppendLine(CultureInfo.InvariantCulture, $"  {(int)one!["feature"]!,7} {(double)one["mean"]!,9:0.0000} {(double)one["share"]!,6:0 %} {(double)one["changeWithout"]!,9:0.0000} {(double)one["inside"]!,8:0.0000} {(double)one["outside"]!,8:0.0000} {(double?)one["leakage"],8:0.000}");
        }
        return text.ToString();
    }

    private static IReadOnlyList<double> Strengths(string text) => [.. text.Split(',', StringSplitOptions.TrimEntries).Select(part =>
        double.TryParse(part, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && Math.Abs(number) <= 40
            ? number : throw new CliException($"--strengths {Line.Quote(text)}: no numbers from -40 to 40, such as -10,0,10."))];

    private static (HookSite Site, int Feature) Feature(string text) => text.LastIndexOf(':') is > 0 and var colon
        && int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var feature)
            ? (SiteArgument.Parse("--feature", text[..colon]), feature)
            : throw new CliException($"--feature {Line.Quote(text)}: write SITE:FEATURE, such as up.0.1:12.");
}

/// <summary>How far an evaluation of unbox-mini is: a bar on a terminal, lines now and then elsewhere. Told by several threads.</summary>
internal sealed class EvaluationReporter(Terminal terminal, IProgress<Advance> bar) : IProgress<MiniEvaluationProgress>
{
    private readonly Lock _lock = new();
    private int _tenth = -1;
    private string _stage = "";

    public void Report(MiniEvaluationProgress value)
    {
        using var alone = _lock.EnterScope();
        bar.Report(new(value.Done, value.Total, value.Stage));
        var tenth = 10 * value.Done / value.Total;
        if (terminal.HasBars || (tenth, value.Stage) == (_tenth, _stage))
            return;
        (_tenth, _stage) = (tenth, value.Stage);
        terminal.Note($"{value.Stage} {value.Done}/{value.Total}");
    }
}
