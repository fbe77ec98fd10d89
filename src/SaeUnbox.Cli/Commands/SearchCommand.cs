namespace SaeUnbox.Cli.Commands;

/// <summary><c>search</c>: finds features of an atlas by words, and with CLIP by what their pictures show.</summary>
internal sealed class SearchCommand
{
    private readonly Argument<string[]> _words = new("words")
    {
        Description = "Words of names and captions, or a feature's number.",
        Arity = ArgumentArity.OneOrMore,
    };
    private readonly Option<string?> _atlas = Setting.Of<string?>("--atlas", "DIR", "Folder of an atlas (default: the built-in model's).");
    private readonly Option<string?> _clip = Setting.Of<string?>("--clip", "DIR",
        "Folder of the CLIP model that the atlas was made with, to also find what pictures show.");
    private readonly Option<string?> _site = Setting.Of<string?>("--site", "SITE", "Search only this site.");
    private readonly Option<int> _limit = Setting.Of("--limit", "N", "Show at most N features.", 20);
    private readonly ComputeArguments _compute = new();
    private readonly Option<bool> _json = Setting.Switch("--json", "Print the features as JSON.");

    public static Command Create(Terminal terminal)
    {
        var self = new SearchCommand();
        return terminal.NewCommand("search", "Find features of an atlas by words.",
            [self._words, self._atlas, self._clip, self._site, self._limit, .. self._compute.Options, self._json],
            (parsed, _) => self.Run(terminal, parsed));
    }

    private void Run(Terminal terminal, ParseResult parsed)
    {
        var text = string.Join(' ', parsed.GetRequiredValue(_words));
        if (text.Length > FeatureQuery.MaxTextLength)
            throw new CliException($"the words have {text.Length} characters; at most {FeatureQuery.MaxTextLength} are allowed.");
        var query = new FeatureQuery
        {
            Text = text,
            Limit = Require.Between("--limit", parsed.GetValue(_limit), 1, FeatureQuery.MaxLimit),
            Site = parsed.GetValue(_site) is { } code ? SiteArgument.Parse("--site", code) : null,
        };
        var folder = InputFolder.Read(parsed, _atlas) ?? EmbeddedModel.AtlasFolder;
        var device = _compute.Apply(parsed);
        using var clip = InputFolder.Read(parsed, _clip) is { } path ? OnDevice.LoadClip(path, device) : null;
        var reader = AtlasReader.Open(folder, clip is null ? null : new ClipTextEmbedder(clip));
        if (clip is not null && !reader.HasEmbeddings)
            throw new CliException(
                $"--clip: the atlas {Line.Quote(folder)} was made without CLIP; add it with saeunbox atlas --out {folder} --clip.");

        var hits = reader.Search(query).Hits;
        if (parsed.GetValue(_json))
            terminal.Output.WriteLine(Json.Text(hits.Select(Node)));
        else
            foreach (var hit in hits)
                terminal.Output.WriteLine(Row(hit));
    }

    /// <summary>What an atlas says of a feature.</summary>
    public static object Node(FeatureCard card) =>
        new { site = card.Site, feature = card.Feature, name = card.Name, words = card.Words, effect = card.Effect };

    private static JsonNode Node(FeatureHit hit)
    {
        var node = Json.Node(Node(hit.Card));
        (node["match"], node["by"]) = (hit.Match, Names.Of(hit.By));
        return node;
    }

    private static string Row(FeatureHit hit) => string.Create(CultureInfo.InvariantCulture,
        $"{hit.Card.Site} {hit.Card.Feature}\t{hit.Card.Name}\t{string.Join(", ", hit.Card.Words)}{Text(hit.Card.Effect)}");

    private static string Text(FeatureEffect? effect) => effect is { Strength: { } strength }
        ? string.Create(CultureInfo.InvariantCulture, $"\tpaints {effect.Element} at {strength} in {100 * effect.Painted:0} %")
        : "";
}
