namespace SaeUnbox.Cli.Commands;

/// <summary><c>evaluate</c>: measures autoencoders and their features, on many captions, on one picture, or on pairs of prompts.</summary>
internal static class EvaluateCommand
{
    public static Command Create(Terminal terminal)
    {
        var shared = new EvaluateArguments();
        var (table, picture, pairs) = (new EvaluateTable(shared), new EvaluatePicture(shared), new RieEvaluation(shared));
        return terminal.NewCommand("evaluate",
            "Measure autoencoders: fit, pictures after reconstruction, stability, and on unbox-mini detection and steering by features, "
            + "concepts and baselines. With --prompt or --recipe: what the features do to this picture. With --protocol: how they "
            + "edit pairs of prompts.",
            [.. shared.Options, .. table.Options, .. picture.Options, .. pairs.Options], (parsed, cancellation) =>
        {
            if (pairs.IsNamed(parsed))
            {
                Refuse(parsed, [.. table.Options.Except([shared.Clip]), .. picture.Options, .. shared.Recipe.Options],
                    "leave it out with --protocol.");
                pairs.Run(terminal, parsed, cancellation);
                return;
            }
            Refuse(parsed, pairs.Options, "it is for --protocol rie.");
            if (shared.Recipe.AreNamed(parsed))
            {
                Refuse(parsed, table.Options, "it is for many captions; leave out --prompt and --recipe.");
                picture.Run(terminal, parsed, cancellation);
            }
            else
            {
                Refuse(parsed, [.. picture.Options, .. shared.Recipe.OfPicture], "it is for one picture; name it with --prompt.");
                table.Run(terminal, parsed, cancellation);
            }
        });
    }

    private static void Refuse(ParseResult parsed, IReadOnlyList<Option> options, string reason)
    {
        foreach (var option in options.Where(option => parsed.GetResult(option) is { Implicit: false }))
            throw new CliException($"{option.Name}: {reason}");
    }
}

/// <summary>The options that both evaluations have.</summary>
internal sealed class EvaluateArguments
{
    private readonly Option<string[]> _sites = Setting.Of<string[]>("--site", "SITE",
        "A site; may be repeated (default: all with an autoencoder).");
    private readonly Option<string> _output = Setting.Output("DIR",
        "Folder for report.json, tables, index.html and the state from which a stopped evaluation continues; of one picture for "
        + "report.json, image.png, ablation/SITE.png and strengths/SITE-FEATURE.png; of pairs for rie.csv and rie.json.");
    private readonly Option<bool> _json = Setting.Switch("--json", "Print report.json; of pairs rie.json.");

    /// <summary>An option of the table and of the protocol, but not of one picture.</summary>
    public Option<string?> Clip { get; } = Setting.Of<string?>("--clip", "DIR",
        "Local folder of CLIP, to compare captions and pictures before and after reconstruction, or edited pictures with their prompts.");

    public ModelArguments Model { get; } = new(DtypeChoice.Fp32);

    public RecipeArguments Recipe { get; } = new();

    public IReadOnlyList<Option> Options => [.. Model.Options, .. Recipe.All, _sites, _output, _json];

    public Site[] Sites(ParseResult parsed) => SiteArgument.Read(parsed, _sites);

    public bool IsJson(ParseResult parsed) => parsed.GetValue(_json);

    /// <exception cref="CliException">Nothing can be written there.</exception>
    public string Folder(ParseResult parsed)
    {
        var folder = parsed.GetRequiredValue(_output);
        OutputFile.RequireFolder(folder, _output.Name);
        return folder;
    }

    /// <exception cref="CliException">The model has no autoencoders, or none for one of the sites.</exception>
    public static void Require(LoadedModel model, IEnumerable<Site> sites)
    {
        if (model.Saes.Count == 0)
            throw new CliException("there are no sparse autoencoders to measure; name their folder with --saes.");
        foreach (var site in sites.Where(site => !model.Saes.ContainsKey(site)))
            throw new CliException($"there is no sparse autoencoder for {site}, only for {string.Join(", ", model.Saes.Keys)}.");
    }
}
