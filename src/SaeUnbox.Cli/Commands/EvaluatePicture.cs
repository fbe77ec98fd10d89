namespace SaeUnbox.Cli.Commands;

/// <summary><c>evaluate</c> of one picture: measures how well autoencoders explain it, and what their features do to it.</summary>
/// <param name="shared">The options that both evaluations have.</param>
internal sealed class EvaluatePicture(EvaluateArguments shared)
{
    private const int Columns = 8, TileSide = 192;
    private const string AblationFolder = "ablation", StrengthsFolder = "strengths";

    private readonly Option<int> _top =
        Setting.Of("--top", "N", "Features of each site to remove and to paint, the most active first.", 16);
    private readonly Option<double> _strength = Setting.Of("--strength", "X", "Strength of painting.", 10.0);
    private readonly Option<string?> _mask = Setting.Of<string?>("--mask", "MASK",
        "Where to paint: a PNG of the picture's size, or JSON rows (default: the middle quarter).");
    private readonly Option<string[]> _features = Setting.Of<string[]>("--feature", "FEATURE",
        "SITE:FEATURE to draw at every strength and seed; may be repeated (default: the most active one of each site).");
    private readonly Option<string> _strengths = Setting.Of("--strengths", "X,…", "Strengths for --feature.", "-20,-10,-5,0,5,10,20");
    private readonly Option<int> _seeds = Setting.Of("--seeds", "N", "Number of seeds for --feature, starting with the recipe's.", 3);

    /// <summary>The options that only this evaluation has.</summary>
    public IReadOnlyList<Option> Options => [_top, _strength, _mask, _features, _strengths, _seeds];

    public void Run(Terminal terminal, ParseResult parsed, CancellationToken cancellation)
    {
        var folder = shared.Folder(parsed);
        var top = Require.Between("--top", parsed.GetValue(_top), 1, 1000);
        var seeds = Require.Between("--seeds", parsed.GetValue(_seeds), 1, 100);
        var strength = parsed.GetValue(_strength);
        var strengths = Strengths(parsed.GetRequiredValue(_strengths));
        var named = shared.Sites(parsed);
        var drawn = (parsed.GetValue(_features) ?? []).Select(Feature).ToArray();
        var draft = shared.Recipe.ReadDraft(parsed);
        using var loaded = ModelSession.Load(terminal, shared.Model.Read(parsed, draft.File), cancellation);
        var recipe = shared.Recipe.Read(parsed, draft, loaded, shared.Model);
        EvaluateArguments.Require(loaded, named.Concat(drawn.Select(one => one.Site)));
        Site[] measured = named.Length > 0 ? named : [.. loaded.Saes.Keys];
        IEnumerable<FeatureEdit> tried =
            [.. drawn.Select(one => new FeatureEdit(one.Site, one.Feature, strengths[0])), new FeatureEdit(measured[0], 0, strength)];
        RecipeFit.Require(recipe with { Edits = [.. recipe.Edits, .. tried] }, loaded);

        using var effects = new FeatureEffects(loaded, recipe);
        var report = terminal.WithProgress("evaluating", work =>
        {
            var plain = effects.Plain(cancellation);
            if (drawn.Length == 0)
                drawn = [.. measured.Select(site => (site, plain.Maps.Find(site)!.Top(1).Single().Feature))];
            var (done, all) = (0, (2 * measured.Length * top) + drawn.Length);
            var sites = new JsonObject();
            OutputFile.WriteFolder(folder, inside =>
            {
                var explained = effects.Explained(cancellation).ToDictionary(one => one.Site);
                foreach (var site in measured)
                    sites[site.Code] = Measure(site, explained[site], inside, () => work.Report(++done, all, () => $"features of {site}"));
                foreach (var (site, feature) in drawn)
                {
                    work.Report(++done, all, () => $"strengths of {site} {feature}");
                    long[] drawnSeeds = [.. Enumerable.Range(0, seeds).Select(i => recipe.Seed + i)];
                    var pictures = effects.Strengths(site, feature, strengths, drawnSeeds, cancellation);
                    Save(inside, StrengthsFolder, $"{site}-{feature}.png", pictures, strengths.Count);
                }
                OutputFile.Write(Path.Combine(inside, "image.png"), PictureFile.Png(plain.Picture!, recipe));
                var whole = new JsonObject
                {
                    ["recipe"] = JsonNode.Parse(recipe.ToJson()),
                    ["strength"] = strength,
                    ["sites"] = sites,
                    ["strengths"] = new JsonArray([.. strengths.Select(x => (JsonNode)x)]),
                    ["drawn"] = new JsonArray([.. drawn.Select(one => (JsonNode)$"{StrengthsFolder}/{one.Site}-{one.Feature}.png")]),
                };
                OutputFile.Write(Path.Combine(inside, "report.json"), Encoding.UTF8.GetBytes(Json.Text(whole)));
            }, OldSheets(folder));
            return sites;

            JsonObject Measure(Site site, SiteExplained explained, string inside, Action step)
            {
                var mask = Mask(terminal, parsed, recipe, loaded, site);
                var ablations = Counted(effects.Ablations(site, top, cancellation), step);
                var features = ablations.Select(one => one.Feature);
                var leakages = Counted(effects.Leakages(site, features, strength, mask, cancellation), step)
                    .ToDictionary(one => one.Feature);
                var ordered = ablations.OrderByDescending(one => one.Change).ToArray();
                if (ordered.Length > 0)
                    Save(inside, AblationFolder, $"{site}.png", [plain.Picture!, .. ordered.Select(one => one.Picture)], Columns);
                return new()
                {
                    ["explainedVariance"] = new JsonObject { ["perChannel"] = explained.PerChannel, ["pooled"] = explained.Pooled },
                    ["sheet"] = $"{AblationFolder}/{site}.png",
                    ["features"] = new JsonArray([.. ordered.Select(one => (JsonNode)Node(one, leakages[one.Feature]))]),
                };
            }
        });
        terminal.Output.Write(shared.IsJson(parsed)
            ? File.ReadAllText(Path.Combine(folder, "report.json")) + Environment.NewLine
            : Table(report));
    }

    private static T[] Counted<T>(IEnumerable<T> items, Action step) => [.. items.Select(item =>
    {
        step();
        return item;
    })];

    private static JsonObject Node(FeatureAblation ablation, FeatureLeakage leakage) => new()
    {
        ["feature"] = ablation.Feature,
        ["mean"] = ablation.Mean,
        ["share"] = ablation.Share,
        ["changeWithout"] = ablation.Change,
        ["inside"] = leakage.Inside,
        ["outside"] = leakage.Outside,
        ["leakage"] = leakage.Ratio,
    };

    private BrushMask Mask(Terminal terminal, ParseResult parsed, Recipe recipe, LoadedModel loaded, Site site)
    {
        var (rows, columns) = loaded.Info.Find(site)!.Grid(recipe.Width, recipe.Height);
        if (parsed.GetValue(_mask) is { } text)
        {
            var mask = MaskFile.Read(text, recipe, (rows, columns));
            if (mask.IsBlank)
                terminal.Note($"the mask {Line.Quote(text)} is blank: painting at {site} changes nothing.");
            else if (mask.IsNowhereEmpty)
                terminal.Note($"the mask {Line.Quote(text)} is nowhere empty: painting at {site} changes every part of the picture.");
            return mask;
        }
        return FeatureEffects.MiddleQuarter(rows, columns);
    }

    private static IEnumerable<string> OldSheets(string folder) => ((string[])[AblationFolder, StrengthsFolder])
        .SelectMany(part => OutputFile.Pictures(Path.Combine(folder, part)))
        .Where(file => Site.TryParse(Path.GetFileNameWithoutExtension(file).Split('-')[0], out _));

    private static void Save(string folder, string part, string name, IReadOnlyList<Picture> pictures, int columns)
    {
        Directory.CreateDirectory(Path.Combine(folder, part));
        OutputFile.Write(Path.Combine(folder, part, name), Png.Encode(PictureSheet.Of(pictures, columns, TileSide)));
    }

    private static string Table(JsonObject sites)
    {
        var text = new StringBuilder();
        foreach (var (site, report) in sites)
        {
            var explained = report!["explainedVariance"]!;
            text.Append(CultureInfo.InvariantCulture,
                $"{site}  explained variance {(double)explained["perChannel"]!:0.0000} (per channel), ");
            text.AppendLine(CultureInfo.InvariantCulture, $"{(double)explained["pooled"]!:0.0000} (pooled)");
            text.AppendLine("  feature      mean  share   without   inside  outside  leakage");
            foreach (var one in report["features"]!.AsArray())
            {
                text.Append(CultureInfo.InvariantCulture, $"  {(int)one!["feature"]!,7} {(double)one["mean"]!,9:0.0000} ");
                text.Append(CultureInfo.InvariantCulture, $"{(double)one["share"]!,6:0 %} {(double)one["changeWithout"]!,9:0.0000} ");
                text.Append(CultureInfo.InvariantCulture, $"{(double)one["inside"]!,8:0.0000} {(double)one["outside"]!,8:0.0000} ");
                text.AppendLine(CultureInfo.InvariantCulture, $"{(double?)one["leakage"],8:0.000}");
            }
        }
        return text.ToString();
    }

    private static IReadOnlyList<double> Strengths(string text) => [.. text.Split(',', StringSplitOptions.TrimEntries).Select(part =>
        PlainNumber.TryReal(part, out var number) && Math.Abs(number) <= 40
            ? number
            : throw new CliException($"--strengths {Line.Quote(text)}: use numbers from -40 to 40, such as -10,0,10."))];

    private static (Site Site, int Feature) Feature(string text) => text.LastIndexOf(':') is > 0 and var colon
        && PlainNumber.TryWhole(text[(colon + 1)..], out int feature) && feature >= 0
            ? (SiteArgument.Parse("--feature", text[..colon]), feature)
            : throw new CliException($"--feature {Line.Quote(text)}: write SITE:FEATURE, such as up.0.1:12.");
}
