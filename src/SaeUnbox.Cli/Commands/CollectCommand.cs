using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using SaeUnbox.Cli.Options;
using SaeUnbox.Cli.Output;

namespace SaeUnbox.Cli.Commands;

/// <summary><c>collect</c>: what blocks add to their input, over many captions; the data autoencoders are trained on.</summary>
internal sealed class CollectCommand
{
    private readonly ModelArguments model = new(DtypeChoice.Fp32);
    private readonly CaptionArguments captions = new();
    private readonly Option<string[]> sites = new("--site") { Description = "A site, such as down.2.1; may be given several times (default: those of --saes, else the demo's four).", HelpName = "SITE" };
    private readonly Option<string> output = new("--out", "-o") { Description = "The folder to fill: SITE/items-FIRST-END.safetensors. The same command goes on where it was left.", HelpName = "DIR", Required = true };
    private readonly Option<int?> steps = new("--steps") { Description = "Denoising steps; each gives an item (default: what the model is made for).", HelpName = "N" };
    private readonly Option<double?> guidance = new("--guidance") { Description = "Guidance scale; the conditional half is kept.", HelpName = "X" };
    private readonly Option<string?> size = new("--size") { Description = "Pixels: a side, or WIDTHxHEIGHT.", HelpName = "SIZE" };
    private readonly Option<string?> budget = new("--budget") { Description = "Most the folder may take, such as 20GB; then it stops.", HelpName = "SIZE" };
    private readonly Option<string?> workers = new("--workers") { Description = "This process's share, such as 1/4; the others fill the same folder.", HelpName = "I/N" };
    private readonly Option<int> pictures = new("--batch") { Description = "Pictures computed together; more than 1 pays on a GPU.", HelpName = "N", DefaultValueFactory = _ => 1 };
    private readonly Option<int> shard = new("--shard") { Description = "Items in a file; what a crash can lose.", HelpName = "N", DefaultValueFactory = _ => new CollectionOptions().ItemsPerShard };
    private readonly Option<string> store = new("--store") { Description = "Stored numbers: fp16, bf16 or fp32.", HelpName = "FORMAT", DefaultValueFactory = _ => "fp16" };
    private readonly Option<bool> json = new("--json") { Description = "Print what was collected as JSON." };

    public static Command Create(Terminal terminal)
    {
        var options = new CollectCommand();
        var command = new Command("collect", "Run a model on captions and store what blocks add to their input. Stop it at any time; the same command goes on.");
        options.model.AddTo(command);
        options.captions.AddTo(command);
        foreach (var option in (Option[])[options.sites, options.output, options.steps, options.guidance, options.size,
            options.budget, options.workers, options.pictures, options.shard, options.store, options.json]) command.Add(option);
        command.SetGuardedAction(terminal, (parsed, cancellation) => options.Run(terminal, parsed, cancellation));
        return command;
    }

    private void Run(Terminal terminal, ParseResult parsed, CancellationToken cancellation)
    {
        var folder = parsed.GetRequiredValue(output);
        OutputFile.RequireFolder(folder, "--out");
        var named = (parsed.GetValue(sites) ?? []).Select(code => SiteArgument.Parse("--site", code)).Distinct().ToArray();
        var draft = new CollectionRequest
        {
            Sites = named,
            Captions = captions.Read(parsed),
            Pictures = Whole.AtLeast(1, "--batch", parsed.GetValue(pictures)),
            Storage = new CollectionOptions
            {
                ItemsPerShard = Whole.AtLeast(1, "--shard", parsed.GetValue(shard)),
                DType = Word.Parse<Dtype>("--store", parsed.GetRequiredValue(store))!.Value.ToScalarType(),
                DiskBudget = parsed.GetValue(budget) is { } amount ? ByteSize.Parse("--budget", amount) : null,
            },
        };
        draft = parsed.GetValue(workers) is { } share ? WithShare(draft, share) : draft;
        var (width, height) = parsed.GetValue(size) is { } given ? Size(given) : (0, 0);

        using var loaded = ModelSession.Load(terminal, model.Read(parsed, null), cancellation);
        var request = draft with
        {
            Sites = named.Length > 0 ? named : Usual(loaded),
            Steps = parsed.GetValue(steps) ?? loaded.Info.Steps,
            Guidance = parsed.GetValue(guidance) ?? loaded.Info.Guidance,
            Width = width > 0 ? width : loaded.Info.Width,
            Height = height > 0 ? height : loaded.Info.Height,
        };
        var outcome = Collect(terminal, loaded, request, folder, cancellation);
        if (outcome.IsFull) terminal.Note($"the budget of {parsed.GetValue(budget)} is spent: {outcome.Done} of {outcome.Items} items are stored.");
        terminal.Output.WriteLine(parsed.GetValue(json) ? Json.Text(Report(folder, request, outcome)) : folder);
    }

    private static CollectionOutcome Collect(Terminal terminal, LoadedModel loaded, CollectionRequest request, string folder, CancellationToken cancellation)
    {
        try
        {
            return terminal.WithProgress("collecting", bar =>
            {
                var work = new LongWork(terminal, bar);
                return ActivationCollector.Run(loaded, request, folder, new Told(work), cancellation);
            });
        }
        catch (OperationCanceledException)
        {
            terminal.Note($"what was collected is in {folder}; the same command goes on from it.");
            throw;
        }
    }

    private static IReadOnlyList<HookSite> Usual(LoadedModel loaded) => loaded.Saes.Count > 0
        ? [.. loaded.Saes.Keys]
        : [.. loaded.Model.Sites.Select(shape => shape.Site).Intersect(HookSite.Named)];

    private static CollectionRequest WithShare(CollectionRequest request, string text) => text.Split('/') is [var one, var all]
        && int.TryParse(one, NumberStyles.None, CultureInfo.InvariantCulture, out var index)
        && int.TryParse(all, NumberStyles.None, CultureInfo.InvariantCulture, out var count)
        && index >= 1 && index <= count
        ? request with { Worker = index - 1, Workers = count }
        : throw new CliException($"--workers {Line.Quote(text)}: it is written I/N with I from 1 to N, such as 1/4.");

    private static (int Width, int Height) Size(string text)
    {
        var sides = text.Split('x').Select(side => int.TryParse(side, NumberStyles.None, CultureInfo.InvariantCulture, out var pixels)
            && pixels is > 0 and <= RecipeLimits.MaxSide && pixels % RecipeLimits.SideMultiple == 0 ? pixels : 0).ToArray();
        return sides.Length is 1 or 2 && !sides.Contains(0)
            ? (sides[0], sides[^1])
            : throw new CliException($"--size {Line.Quote(text)}: use multiples of {RecipeLimits.SideMultiple} up to {RecipeLimits.MaxSide}, such as 512 or 768x512.");
    }

    private static JsonObject Report(string folder, CollectionRequest request, CollectionOutcome outcome) => new()
    {
        ["out"] = folder,
        ["sites"] = new JsonArray([.. request.Sites.Select(site => (JsonNode)site.Code)]),
        ["items"] = outcome.Done,
        ["wanted"] = outcome.Items,
        ["bytes"] = outcome.Bytes,
        ["full"] = outcome.IsFull,
    };

    private sealed class Told(LongWork work) : IProgress<CollectionProgress>
    {
        public void Report(CollectionProgress value) => work.Report(value.Done, value.Items, () => $"collecting, {ByteSize.Of(value.Bytes)}");
    }
}
