namespace SaeUnbox.Cli.Commands;

/// <summary><c>atlas</c>: describes each feature of a model by its strongest pictures, words, neighbours and statistics.</summary>
internal sealed class AtlasCommand
{
    private readonly ModelArguments _model = new(DtypeChoice.Fp32);
    private readonly CaptionArguments _captions = new();
    private readonly Option<string> _output =
        Setting.Output("DIR", "Folder of the atlas. If it was interrupted, the same command continues it.");
    private readonly Option<int> _top = Setting.Of("--top", "N", "Pictures to keep for each feature.", 8);
    private readonly Option<int> _side = Setting.Of("--picture", "N", "Longer side of these pictures in pixels.", 160);
    private readonly Option<string?> _names = Setting.Of<string?>("--names", "FILE",
        "Known names: a JSON object of sites, each an object of feature numbers and names.");
    private readonly Option<string?> _labels = Setting.Of<string?>("--labels", "DIR",
        "Labels of features: files SITE.json, each a list of objects with id, label and category. Without captions they are added to an "
        + "existing atlas.");
    private readonly Option<string?> _suggestions = Setting.Of<string?>("--suggestions", "FILE",
        "What users may try: a JSON array of objects with title and recipe. Without captions it replaces those of an existing atlas.");
    private readonly Option<string?> _concepts = Setting.Of<string?>("--concepts", "FILE",
        "Named groups of features: a JSON array of objects with name, source and sites. Without captions they are added to an existing "
        + "atlas.");
    private readonly Option<string?> _features = Setting.Of<string?>("--features", "FILE",
        "What was measured of features, as saeunbox evaluate-mini --features writes it: names, good strengths, what they do there. Without "
        + "captions it is added to an existing atlas.");
    private readonly Option<string?> _import = Setting.Of<string?>("--import", "DIR",
        "Import the pictures of a published atlas, SITE/FEATURE.jpg, instead of running captions.");
    private readonly Option<string?> _clip = Setting.Of<string?>("--clip", "DIR",
        "Folder of a CLIP model, such as openai/clip-vit-base-patch32, so that searches also find what pictures show. Without captions it "
        + "is added to an existing atlas.");

    public static Command Create(Terminal terminal)
    {
        var self = new AtlasCommand();
        return terminal.NewCommand("atlas",
            "Make the atlas of a model's features, which the page and the API show. You can interrupt it; the same command continues.",
            [.. self._model.Options, .. self._captions.Options, self._output, self._top, self._side, self._names, self._labels,
                self._suggestions, self._concepts, self._features, self._import, self._clip],
            (parsed, cancellation) => self.Run(terminal, parsed, cancellation));
    }

    private void Run(Terminal terminal, ParseResult parsed, CancellationToken cancellation)
    {
        var folder = parsed.GetRequiredValue(_output);
        OutputFile.RequireFolder(folder, "--out");
        var model = _model.Read(parsed, null);
        using var clip = InputFolder.Read(parsed, _clip) is { } path ? OnDevice.LoadClip(path, _model.Device(parsed)) : null;
        var labels = parsed.GetValue(_labels) is { } labelled ? AtlasFiles.Labels(labelled) : null;
        var (import, suggestions) = (parsed.GetValue(_import), parsed.GetValue(_suggestions));
        var atlas = Path.Combine(folder, AtlasReader.FileName);
        var concepts = parsed.GetValue(_concepts) is { } named ? AtlasFiles.Concepts(named) : null;
        var features = parsed.GetValue(_features) is { } measured ? AtlasFiles.Features(measured) : null;
        var isChange = (clip is not null || suggestions is not null || labels is not null || concepts is not null || features is not null)
            && import is null
            && !_captions.AreNamed(parsed)
            && File.Exists(atlas);
        if (!isChange)
            Make(terminal, parsed, model, folder, import, cancellation);
        else if (suggestions is not null)
            AtlasWriter.SetSuggestions(atlas, AtlasFiles.Suggestions(suggestions));
        if (concepts is not null)
            AtlasWriter.SetConcepts(atlas, concepts);
        if (features is not null)
            AtlasWriter.SetFeatures(atlas, features);
        if (labels is not null && AtlasWriter.SetLabels(atlas, labels) == 0)
            throw new CliException($"--labels: none of the {labels.Count} labels is of a feature of this atlas.");
        if (clip is not null)
            Embed(terminal, clip, folder, cancellation);
        terminal.Output.WriteLine(atlas);
    }

    private void Make(Terminal terminal, ParseResult parsed, ModelOptions model, string folder, string? import,
        CancellationToken cancellation)
    {
        var request = new AtlasRequest
        {
            Captions = import is null ? _captions.Read(parsed) : [],
            TopPictures = Require.Between("--top", parsed.GetValue(_top), 1, 100),
            PictureSide = Require.Between("--picture", parsed.GetValue(_side), 32, 1024),
            Names = parsed.GetValue(_names) is { } names ? AtlasFiles.Names(names) : new Dictionary<(Site, int), string>(),
            Suggestions = parsed.GetValue(_suggestions) is { } suggestions ? AtlasFiles.Suggestions(suggestions) : [],
        };
        using var loaded = ModelSession.Load(terminal, model, cancellation);
        if (loaded.Saes.Count == 0)
            throw new CliException("an atlas needs sparse autoencoders; name their folder with --saes.");
        terminal.WithProgress("making the atlas", work =>
        {
            if (import is null)
                AtlasBuilder.Run(loaded, request, folder, done =>
                    work.Report(done, request.Captions.Count, () => "running captions"), cancellation);
            else
                AtlasImport.Run(loaded, request, import, folder, (done, all) =>
                    work.Report(done, all, () => "importing pictures"), cancellation);
        });
        var unmeasured = loaded.Saes.Where(sae => sae.Value.Scale is null).Select(sae => sae.Key.Code).ToArray();
        if (import is not null && unmeasured.Length > 0)
            terminal.Note($"there is no mean.pt next to the weights of {string.Join(", ", unmeasured)}: all their features count as dead, "
                + "and galleries and searches leave them out. Run saeunbox statistics --write-scale to create it.");
    }

    private static void Embed(Terminal terminal, ClipModel clip, string folder, CancellationToken cancellation)
    {
        try
        {
            terminal.WithProgress("embedding pictures", work => AtlasEmbedding.Add(
                folder, clip, (done, all) => work.Report(done, all, () => "embedding pictures"), cancellation));
        }
        catch (OperationCanceledException)
        {
            terminal.Note("the atlas is complete, but without CLIP; the same command without captions adds it.");
            throw;
        }
    }
}
