namespace SaeUnbox.Cli.Commands;

/// <summary><c>steps</c>: shows features over the steps of a run, and in which steps edits work.</summary>
internal sealed class StepsCommand
{
    private readonly ModelArguments _model = new(DtypeChoice.Fp32);
    private readonly RecipeArguments _recipe = new();
    private readonly Option<int> _top = Setting.Of("--top", "N", "Without --edit: features of each site to follow.", 5);
    private readonly Option<int> _parts = Setting.Of("--parts", "N", "Parts of the run at whose bounds an edit may begin or end.", 8);
    private readonly Option<string> _output = Setting.Output("DIR", "Folder for steps.json, activations.csv and windows.csv.");
    private readonly Option<bool> _json = Setting.Switch("--json", "Print steps.json.");

    public static Command Create(Terminal terminal)
    {
        var self = new StepsCommand();
        return terminal.NewCommand("steps",
            "Follow features over the steps of a run, and find the steps in which each --edit works best; its own steps are ignored.",
            [.. self._model.Options, .. self._recipe.All, self._top, self._parts, self._output, self._json],
            (parsed, cancellation) => self.Run(terminal, parsed, cancellation));
    }

    private void Run(Terminal terminal, ParseResult parsed, CancellationToken cancellation)
    {
        var folder = parsed.GetRequiredValue(_output);
        OutputFile.RequireFolder(folder, "--out");
        var top = Require.Between("--top", parsed.GetValue(_top), 1, 1000);
        var parts = Require.Between("--parts", parsed.GetValue(_parts), 1, RecipeLimits.MaxSteps);
        var draft = _recipe.ReadDraft(parsed);
        using var loaded = ModelSession.Load(terminal, _model.Read(parsed, draft.File), cancellation);
        if (loaded.Saes.Count == 0)
            throw new CliException("following features needs sparse autoencoders; name their folder with --saes.");
        var plain = _recipe.Read(parsed, draft with { Edits = [] }, loaded, _model);
        Subject[] edited = [.. draft.Edits.Select(one => new Subject(one.Name,
            [.. _recipe.Read(parsed, draft with { Edits = [one] }, loaded, _model).Edits.Skip(plain.Edits.Count)]))];
        RecipeFit.Require(plain with { Edits = [.. plain.Edits, .. edited.SelectMany(subject => subject.Edits)] }, loaded);

        using var study = new StepStudy(loaded, plain);
        var bounds = StepStudy.Bounds(plain.Steps, parts);
        var report = terminal.WithProgress("following features", work =>
        {
            var subjects = edited.Length > 0 ? edited : Strongest(study.Plain(cancellation).Maps, top);
            var (done, all) = (0, edited.Length * bounds.Count * (bounds.Count - 1) / 2);
            return subjects.Select(subject => new Curves(subject,
                [.. subject.Edits.SelectMany(edit => study.Activations(edit.Site, [.. edit.Features], cancellation))],
                edited.Length == 0 ? [] : [.. study.Windows(subject.Edits, bounds, cancellation)
                    .Select(window =>
                    {
                        work.Report(++done, all, () => $"steps of {subject.Name}");
                        return window;
                    })])).ToArray();
        });
        var json = Json.Text(Node(plain, report));
        OutputFile.WriteFolder(folder, inside =>
        {
            Write(inside, "steps.json", json);
            Write(inside, "activations.csv", Csv("name,site,step,mean,share,explained_variance", report.SelectMany(one => one.Activations
                .Select(at => $"{one.Subject.Name},{at.Site},{at.Step},{Text(at.Mean)},{Text(at.Share)},{Text(at.ExplainedVariance)}"))));
            Write(inside, "windows.csv", Csv("name,first,last,effect,change", report.SelectMany(one => one.Windows
                .Select(at => $"{one.Subject.Name},{at.First},{at.Last},{Text(at.Effect)},{Text(at.Change)}"))));
        }, []);
        terminal.Output.Write(parsed.GetValue(_json) ? json + Environment.NewLine : Table(report));
    }

    private static Subject[] Strongest(ActivationMaps maps, int top) =>
    [
        .. from site in maps.All.GroupBy(map => map.Site)
           let strongest = site.SelectMany(map => map.Top(map.Features)).GroupBy(active => active.Feature)
               .OrderByDescending(feature => feature.Sum(active => active.Mean)).ThenBy(feature => feature.Key).Take(top)
           from feature in strongest
           select new Subject($"{site.Key}:{feature.Key}", [new FeatureEdit(site.Key, feature.Key, 0)]),
    ];

    private static object Node(Recipe recipe, Curves[] report) => new
    {
        recipe,
        curves = report.Select(one => new
        {
            name = one.Subject.Name,
            best = StepStudy.Best(one.Windows, one.Subject.Edits),
            activations = one.Activations,
            windows = one.Windows,
        }),
    };

    private static string Table(Curves[] report)
    {
        var text = new StringBuilder();
        foreach (var one in report)
        {
            text.AppendLine(one.Subject.Name);
            foreach (var site in one.Activations.GroupBy(at => at.Site))
                text.AppendLine(CultureInfo.InvariantCulture,
                    $"  {site.Key,-9} share by step "
                    + $"{string.Join(' ', site.Select(at => at.Share.ToString("0.0000", CultureInfo.InvariantCulture)))}");
            if (StepStudy.Best(one.Windows, one.Subject.Edits) is { } best)
                text.AppendLine(CultureInfo.InvariantCulture,
                    $"  works best in the steps #{best.First}-{best.Last}: effect {best.Effect:+0.0000;-0.0000}, picture changed by "
                    + $"{best.Change:0.0000}");
            else if (one.Windows.Count > 0)
                text.AppendLine("  has no effect in the direction of its strength");
        }
        return text.ToString();
    }

    private static void Write(string folder, string name, string text) =>
        OutputFile.Write(Path.Combine(folder, name), Encoding.UTF8.GetBytes(text));

    private static string Csv(string head, IEnumerable<string> rows) => string.Concat(rows.Prepend(head).Select(row => row + "\n"));

    private static string Text(double? number) => number?.ToString("R", CultureInfo.InvariantCulture) ?? "";

    /// <param name="Name">See <see cref="EditArgument.Name"/>; without strength and mode where nothing is edited.</param>
    private sealed record Subject(string Name, IReadOnlyList<FeatureEdit> Edits);

    private sealed record Curves(Subject Subject, IReadOnlyList<StepActivation> Activations, IReadOnlyList<StepWindow> Windows);
}
