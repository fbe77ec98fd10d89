using System.CommandLine;
using SaeUnbox.Cli.Options;
using SaeUnbox.Cli.Output;

namespace SaeUnbox.Cli.Commands;

/// <summary><c>atlas</c>: what each feature of a model is about: its strongest pictures, words, neighbours, statistics.</summary>
internal sealed class AtlasCommand
{
    private readonly ModelArguments model = new(DtypeChoice.Fp32);
    private readonly CaptionArguments captions = new();
    private readonly Option<string> output = new("--out", "-o") { Description = "The atlas's folder. The same command goes on where it was left.", HelpName = "DIR", Required = true };
    private readonly Option<int> top = new("--top") { Description = "Pictures kept for a feature.", HelpName = "N", DefaultValueFactory = _ => 8 };
    private readonly Option<int> side = new("--picture") { Description = "Longer side of a kept picture in pixels.", HelpName = "N", DefaultValueFactory = _ => 160 };
    private readonly Option<string?> names = new("--names") { Description = "Names that are known: JSON of sites, each an object of feature numbers and names.", HelpName = "FILE" };
    private readonly Option<string?> suggestions = new("--suggestions") { Description = "What to try: a JSON array of objects with title and recipe. Without captions they replace those of the atlas that is there.", HelpName = "FILE" };
    private readonly Option<string?> import = new("--import") { Description = "Take a published atlas's pictures, SITE/FEATURE.jpg, in place of captions.", HelpName = "DIR" };

    private readonly Option<string?> clip = new("--clip") { Description = "A CLIP model's folder, such as openai/clip-vit-base-patch32: searches then find what pictures show, too. Without captions it is added to the atlas that is there.", HelpName = "DIR" };

    public static Command Create(Terminal terminal)
    {
        var options = new AtlasCommand();
        var command = new Command("atlas", "Make the atlas of a model's features, which the page and the API read. Stop it at any time; the same command goes on.");
        options.model.AddTo(command);
        options.captions.AddTo(command);
        foreach (var option in (Option[])[options.output, options.top, options.side, options.names, options.suggestions, options.import, options.clip]) command.Add(option);
        command.SetGuardedAction(terminal, (parsed, cancellation) => options.Run(terminal, parsed, cancellation));
        return command;
    }

    private void Run(Terminal terminal, ParseResult parsed, CancellationToken cancellation)
    {
        var folder = parsed.GetRequiredValue(output);
        OutputFile.RequireFolder(folder, "--out");
        var imported = parsed.GetValue(import);
        var wanted = model.Read(parsed, null);
        using var embedding = ModelArguments.Folder(parsed, clip) is { } towers ? ClipModel.Load(towers, device: wanted.Device) : null;
        var (atlas, tries) = (Path.Combine(folder, AtlasReader.FileName), parsed.GetValue(suggestions));
        if ((embedding is null && tries is null) || imported is not null || captions.AreNamed(parsed) || !File.Exists(atlas)) Make(terminal, parsed, wanted, folder, imported, cancellation);
        else if (tries is not null) AtlasWriter.SetSuggestions(atlas, AtlasFiles.Suggestions(tries));
        if (embedding is not null) Embed(terminal, embedding, folder, cancellation);
        terminal.Output.WriteLine(atlas);
    }

    private void Make(Terminal terminal, ParseResult parsed, ModelOptions wanted, string folder, string? imported, CancellationToken cancellation)
    {
        var request = new AtlasRequest
        {
            Captions = imported is null ? captions.Read(parsed) : [],
            TopPictures = Whole.Between("--top", parsed.GetValue(top), 1, 100),
            PictureSide = Whole.Between("--picture", parsed.GetValue(side), 32, 1024),
            Names = parsed.GetValue(names) is { } namesFile ? AtlasFiles.Names(namesFile) : new Dictionary<(HookSite, int), string>(),
            Suggestions = parsed.GetValue(suggestions) is { } tries ? AtlasFiles.Suggestions(tries) : [],
        };
        using var loaded = ModelSession.Load(terminal, wanted, cancellation);
        if (loaded.Saes.Count == 0) throw new CliException("an atlas is of features: name a folder of sparse autoencoders with --saes.");
        terminal.WithProgress("making the atlas", bar =>
        {
            var work = new LongWork(terminal, bar);
            if (imported is null) AtlasBuilder.Run(loaded, request, folder, done => work.Report(done, request.Captions.Count, () => "running captions"), cancellation);
            else AtlasImport.Run(loaded, request, imported, folder, (done, all) => work.Report(done, all, () => "taking pictures"), cancellation);
            return true;
        });
        var unmeasured = loaded.Saes.Where(sae => sae.Value.Scale is null).Select(sae => sae.Key.Code).ToArray();
        if (imported is not null && unmeasured.Length > 0)
            terminal.Note($"no mean.pt lies beside the weights of {string.Join(", ", unmeasured)}: all features there count as dead, and galleries and searches leave them out (statistics --write-scale makes it).");
    }

    private static void Embed(Terminal terminal, ClipModel clip, string folder, CancellationToken cancellation)
    {
        try
        {
            terminal.WithProgress("looking at the pictures", bar =>
            {
                var work = new LongWork(terminal, bar);
                AtlasEmbedding.Add(folder, clip, (done, all) => work.Report(done, all, () => "looking at the pictures"), cancellation);
                return true;
            });
        }
        catch (OperationCanceledException)
        {
            terminal.Note("the atlas is whole, and lacks what CLIP sees in it; the same command without captions adds it.");
            throw;
        }
    }
}
