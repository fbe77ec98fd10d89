using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using SaeUnbox.Cli.Options;
using SaeUnbox.Cli.Output;

namespace SaeUnbox.Cli.Commands;

/// <summary><c>search</c>: the features of an atlas by words, and by what their pictures show where CLIP is at hand.</summary>
internal sealed class SearchCommand
{
    private readonly Argument<string[]> words = new("words") { Description = "Words of names and captions, or a feature's number.", Arity = ArgumentArity.OneOrMore };
    private readonly Option<string?> atlas = new("--atlas") { Description = "An atlas's folder (default: of the model that ships).", HelpName = "DIR" };
    private readonly Option<string?> clip = new("--clip") { Description = "The CLIP model's folder that the atlas was made with: finds what pictures show, too.", HelpName = "DIR" };
    private readonly Option<string?> site = new("--site") { Description = "Only of this site.", HelpName = "SITE" };
    private readonly Option<int> limit = new("--limit") { Description = "Most features.", HelpName = "N", DefaultValueFactory = _ => 20 };
    private readonly ComputeArguments compute = new();
    private readonly Option<bool> json = new("--json") { Description = "Print features as JSON." };

    public static Command Create(Terminal terminal)
    {
        var options = new SearchCommand();
        var command = new Command("search", "Find features of an atlas by words.") { options.words };
        foreach (var option in (Option[])[options.atlas, options.clip, options.site, options.limit]) command.Add(option);
        options.compute.AddTo(command);
        command.Add(options.json);
        command.SetGuardedAction(terminal, (parsed, _) => options.Run(terminal, parsed));
        return command;
    }

    private void Run(Terminal terminal, ParseResult parsed)
    {
        var text = string.Join(' ', parsed.GetRequiredValue(words));
        if (text.Length > FeatureQuery.MaxTextLength) throw new CliException($"the words are {text.Length} letters long; at most {FeatureQuery.MaxTextLength} are searched for.");
        var count = parsed.GetValue(limit) is >= 1 and <= FeatureQuery.MaxLimit and var most ? most : throw new CliException($"--limit {parsed.GetValue(limit)}: use 1 to {FeatureQuery.MaxLimit}.");
        var query = new FeatureQuery { Text = text, Limit = count, Site = parsed.GetValue(site) is { } code ? SiteArgument.Parse("--site", code) : null };
        var folder = ModelArguments.Folder(parsed, atlas) ?? EmbeddedModel.AtlasFolder;
        var device = compute.Apply(parsed);
        using var model = ModelArguments.Folder(parsed, clip) is { } towers ? ClipModel.Load(towers, device: device) : null;
        var reader = AtlasReader.Open(folder, model is null ? null : new ClipTextEmbedder(model));
        if (model is not null && !reader.HasEmbeddings) throw new CliException($"--clip: the atlas {Line.Quote(folder)} was made without; saeunbox atlas --out {folder} --clip adds it.");

        var hits = reader.Search(query).Hits;
        if (parsed.GetValue(json)) terminal.Output.WriteLine(Json.Text(new JsonArray([.. hits.Select(Row)])));
        else foreach (var hit in hits) terminal.Output.WriteLine(Told(hit));
    }

    private static JsonNode Row(FeatureHit hit) => new JsonObject
    {
        ["site"] = hit.Card.Site.Code,
        ["feature"] = hit.Card.Feature,
        ["name"] = hit.Card.Name,
        ["words"] = new JsonArray([.. hit.Card.Words.Select(word => (JsonNode)word)]),
        ["match"] = hit.Match,
        ["by"] = Names.Of(hit.By),
    };

    private static string Told(FeatureHit hit) => string.Create(CultureInfo.InvariantCulture,
        $"{hit.Card.Site} {hit.Card.Feature}\t{hit.Card.Name}\t{string.Join(", ", hit.Card.Words)}");
}
