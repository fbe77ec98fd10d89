namespace SaeUnbox.Cli.Commands;

/// <summary><c>collect</c>: stores what blocks add to their input, over many captions. Autoencoders are trained on this data.</summary>
internal sealed class CollectCommand
{
    private readonly ModelArguments _model = new(DtypeChoice.Fp32);
    private readonly CaptionArguments _captions = new();
    private const int SmallBatch = 8, SmallSide = 256;

    private readonly Option<string[]> _sites = Setting.Of<string[]>("--site", "SITE",
        "A site, such as down.2.1; may be repeated (default: the sites of --saes, else those with a name: the four of the demo, or up.1.1 "
        + "and up.1.2 of SD).");
    private readonly Option<string> _output = Setting.Output("DIR",
        "Folder to fill with SITE/items-FIRST-END.safetensors. If it was interrupted, the same command continues it.");
    private readonly Option<int?> _steps =
        Setting.Of<int?>("--steps", "N", "Denoising steps; each gives an item (default: the model's own).");
    private readonly Option<double?> _guidance =
        Setting.Of<double?>("--guidance", "X", "Guidance scale; only the conditional half is stored.");
    private readonly Option<string?> _size =
        Setting.Of<string?>("--size", "SIZE", "Size of the pictures in pixels: one side, or WIDTHxHEIGHT.");
    private readonly Option<string?> _budget =
        Setting.Of<string?>("--budget", "SIZE", "Stop before the folder grows beyond this size, such as 20GB.");
    private readonly Option<string?> _workers = Setting.Of<string?>("--workers", "I/N",
        "The share of this process, such as 1/4; the other processes fill the same folder.");
    private readonly Option<int?> _pictures = Setting.Of<int?>("--batch", "N",
        $"Pictures at once (default: {SmallBatch} of a small model or of up to {SmallSide} x {SmallSide} pixels, else 1; more are "
        + "faster on a GPU).");
    private readonly Option<int> _shard = Setting.Of("--shard", "N",
        "Items per file; a crash loses at most this many.", new CollectionOptions().ItemsPerShard);
    private readonly Option<string> _store = Setting.Of("--store", "FORMAT", "Number format of the files: fp16, bf16 or fp32.", "fp16");
    private readonly Option<bool> _json = Setting.Switch("--json", "Print what was collected as JSON.");

    public static Command Create(Terminal terminal)
    {
        var self = new CollectCommand();
        return terminal.NewCommand("collect",
            "Run a model on captions and store what blocks add to their input. You can interrupt it; the same command continues.",
            [.. self._model.Options, .. self._captions.Options, self._sites, self._output, self._steps, self._guidance, self._size,
                self._budget, self._workers, self._pictures, self._shard, self._store, self._json],
            (parsed, cancellation) => self.Run(terminal, parsed, cancellation));
    }

    private void Run(Terminal terminal, ParseResult parsed, CancellationToken cancellation)
    {
        var folder = parsed.GetRequiredValue(_output);
        OutputFile.RequireFolder(folder, "--out");
        var named = SiteArgument.Read(parsed, _sites);
        var draft = new CollectionRequest
        {
            Sites = named,
            Captions = _captions.Read(parsed),
            Storage = new CollectionOptions
            {
                ItemsPerShard = Require.AtLeast(1, "--shard", parsed.GetValue(_shard)),
                Dtype = NamedValue.ParseStored("--store", parsed.GetRequiredValue(_store))!.Value,
                DiskBudget = parsed.GetValue(_budget) is { } budget ? ByteSize.Parse("--budget", budget) : null,
            },
        };
        draft = parsed.GetValue(_workers) is { } share ? WithShare(draft, share) : draft;
        int? pictures = parsed.GetValue(_pictures) is { } count ? Require.AtLeast(1, "--batch", count) : null;
        var (width, height) = parsed.GetValue(_size) is { } size ? Size(size) : (0, 0);

        using var loaded = ModelSession.Load(terminal, _model.Read(parsed, null), cancellation);
        var request = draft with
        {
            Sites = named.Length > 0 ? named : DefaultSites(loaded),
            Steps = parsed.GetValue(_steps) ?? loaded.Info.Steps,
            Guidance = parsed.GetValue(_guidance) ?? loaded.Info.Guidance,
            Width = width > 0 ? width : loaded.Info.Width,
            Height = height > 0 ? height : loaded.Info.Height,
        };
        request = request with { Pictures = pictures ?? DefaultPictures(loaded, request.Width, request.Height) };
        var outcome = Collect(terminal, loaded, request, folder, cancellation);
        if (outcome.IsFull)
            terminal.Note($"the budget of {parsed.GetValue(_budget)} is spent: {outcome.Done} of {outcome.Items} items are stored.");
        terminal.Output.WriteLine(parsed.GetValue(_json) ? Json.Text(Report(folder, request, outcome)) : folder);
    }

    private static CollectionOutcome Collect(
        Terminal terminal, LoadedModel loaded, CollectionRequest request, string folder, CancellationToken cancellation)
    {
        try
        {
            return terminal.WithProgress("collecting", work => ActivationCollector.Run(loaded, request, folder,
                at => work.Report(at.Done, at.Items, () => $"collecting, {ByteSize.Of(at.Bytes)}"), cancellation));
        }
        catch (OperationCanceledException)
        {
            terminal.Note($"all finished items are in {folder}; the same command continues.");
            throw;
        }
    }

    /// <summary>Pictures to compute together: of small ones several, whose operators take longer to start than to compute.</summary>
    internal static int DefaultPictures(LoadedModel loaded, int width, int height) =>
        loaded.IsSmall || (long)width * height <= SmallSide * SmallSide ? SmallBatch : 1;

    private static IReadOnlyList<Site> DefaultSites(LoadedModel loaded) => loaded.Saes.Count > 0
        ? [.. loaded.Saes.Keys]
        : loaded.Model.KnownSites();

    private static CollectionRequest WithShare(CollectionRequest request, string text) => text.Split('/') is [var first, var second]
        && PlainNumber.TryWhole(first, out int index)
        && PlainNumber.TryWhole(second, out int count)
        && index >= 1 && index <= count
        ? request with { Worker = index - 1, Workers = count }
        : throw new CliException($"--workers {Line.Quote(text)}: write I/N with I from 1 to N, such as 1/4.");

    private static (int Width, int Height) Size(string text)
    {
        var sides = text.Split('x').Select(side => PlainNumber.TryWhole(side, out int pixels)
            && pixels is > 0 and <= RecipeLimits.MaxSide && pixels % RecipeLimits.SideMultiple == 0 ? pixels : 0).ToArray();
        return sides.Length is 1 or 2 && !sides.Contains(0)
            ? (sides[0], sides[^1])
            : throw new CliException(
                $"--size {Line.Quote(text)}: use multiples of {RecipeLimits.SideMultiple} up to {RecipeLimits.MaxSide}, "
                + "such as 512 or 768x512.");
    }

    private static object Report(string folder, CollectionRequest request, CollectionOutcome outcome) => new
    {
        @out = folder,
        sites = request.Sites,
        items = outcome.Done,
        wanted = outcome.Items,
        bytes = outcome.Bytes,
        full = outcome.IsFull,
    };
}
