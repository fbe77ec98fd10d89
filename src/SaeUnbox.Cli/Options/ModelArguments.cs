namespace SaeUnbox.Cli.Options;

/// <summary>The options that choose a model, its number format and its device.</summary>
/// <param name="defaultDtype">The number format if neither the options nor a recipe name one.</param>
internal sealed class ModelArguments(DtypeChoice defaultDtype)
{
    private readonly Option<string?> _model = Setting.Of<string?>("--model", "PATH",
        "SDXL, SD 1.x or SD 2.x: a folder in diffusers' layout or one file (default: the built-in unbox-mini, with its autoencoders).");
    private readonly Option<string?> _base = InputPath.Base();
    private readonly Option<string?> _tokenizer = InputPath.Tokenizer();
    private readonly Option<string[]> _loras = InputPath.Loras();
    private readonly Option<string?> _saes =
        Setting.Of<string?>("--saes", "DIR", "Folder of sparse autoencoders, in any of the layouts of docs/dictionaries.md.");
    private readonly SaeKArgument _saeK = new();
    private readonly Option<string?> _variant = Setting.Of<string?>("--sae-variant", "NAME",
        "Which autoencoders to use if a site has several, such as k20_hidden5120 (default: k10_hidden5120, as in the demo).");
    private readonly Option<string?> _dtype = Setting.Of<string?>("--dtype", "FORMAT", defaultDtype == DtypeChoice.Auto
        ? "Number format: auto (default, the fastest on the device), fp32, bf16, fp16, int8."
        : "Number format: fp32 (default), auto (the fastest on the device), bf16, fp16, int8.");
    private readonly DeviceArgument _device = new();
    private readonly Option<string?> _vae = Setting.Of<string?>("--vae", "KIND",
        "Decoder: kl (default), or tiny (from vae_tiny in the model's folder or next to it).");
    private readonly Option<string?> _vaeFolder = Setting.Of<string?>("--vae-folder", "PATH", "Folder or file of another decoder.");
    private readonly Option<string?> _scheduler = Setting.Of<string?>("--scheduler", "DIR", "Folder of another scheduler_config.json.");
    private readonly Option<int?> _threads =
        Setting.Of<int?>("--threads", "N", "CPU threads (default: one per core; one for a small model).");
    private readonly Option<string?> _cache = InputPath.Cache();

    public IReadOnlyList<Option> Options =>
    [
        _model, _saes, _variant, _saeK.Option, _dtype, _device.Option, _vae, _vaeFolder, _scheduler, _base, _tokenizer, _loras, _threads,
        _cache,
    ];

    /// <summary>What to load. A recipe supplies number format and decoder where the options do not.</summary>
    public ModelOptions Read(ParseResult parsed, Recipe? recipe)
    {
        var isBuiltIn = parsed.GetValue(_model) is null;
        var options = new ModelOptions
        {
            Folder = InputPath.Read(parsed, _model) ?? EmbeddedModel.ModelFolder,
            SaeFolder = InputFolder.Read(parsed, _saes) ?? (isBuiltIn ? EmbeddedModel.SaeFolder : null),
            Name = isBuiltIn ? EmbeddedModel.Name : null,
            SaeVariant = parsed.GetValue(_variant),
            SaeK = _saeK.Read(parsed),
            Vae = Vae(parsed) ?? recipe?.Vae ?? Core.Vae.Kl,
            VaeFolder = InputPath.Read(parsed, _vaeFolder),
            SchedulerFolder = InputFolder.Read(parsed, _scheduler),
            BasePath = InputPath.Read(parsed, _base),
            TokenizerFolder = InputFolder.Read(parsed, _tokenizer),
            Loras = InputPath.ReadLoras(parsed, _loras),
            Threads = parsed.GetValue(_threads) is { } count ? Threads(count) : null,
            CacheFolder = ModelOptions.ParseCache(parsed.GetValue(_cache)),
        }.On(Device(parsed), Choice(parsed) ?? defaultDtype);
        return Dtype(parsed) is null && recipe?.Dtype is { } dtype ? options.In(dtype) : options;
    }

    /// <summary>The folder of the model's atlas, as the studio finds it; null for none.</summary>
    public string? AtlasFolder(ParseResult parsed) => (parsed.GetValue(_model), parsed.GetValue(_saes)) switch
    {
        (null, null) => EmbeddedModel.AtlasFolder,
        var (model, saes) => AtlasReader.FolderFor(saes, model ?? EmbeddedModel.ModelFolder),
    };

    /// <summary>cpu, cuda or cuda:N.</summary>
    public string Device(ParseResult parsed) => _device.Read(parsed);

    /// <summary>The format that the options name; null if they leave it to the recipe or the device.</summary>
    public Dtype? Dtype(ParseResult parsed) => Choice(parsed)?.Fixed();

    public Vae? Vae(ParseResult parsed) => NamedValue.Parse<Vae>("--vae", parsed.GetValue(_vae));

    public static int Threads(int count) => Require.Between("--threads", count, 1, 1024);

    private DtypeChoice? Choice(ParseResult parsed) => NamedValue.Parse<DtypeChoice>("--dtype", parsed.GetValue(_dtype));
}

/// <summary>Device and threads, for commands that do not load a whole model.</summary>
internal sealed class ComputeArguments
{
    private readonly DeviceArgument _device = new();
    private readonly Option<int?> _threads = Setting.Of<int?>("--threads", "N", "CPU threads (default: one per core).");

    public IReadOnlyList<Option> Options => [_device.Option, _threads];

    /// <summary>Sets the number of threads.</summary>
    /// <returns>The device.</returns>
    public string Apply(ParseResult parsed)
    {
        Threads.Use(parsed.GetValue(_threads) is { } count ? ModelArguments.Threads(count) : Environment.ProcessorCount);
        return _device.Read(parsed);
    }
}

/// <summary><c>--sae-k</c>: how many features are active per position, where an autoencoder's files do not tell.</summary>
internal sealed class SaeKArgument
{
    public Option<int?> Option { get; } = Setting.Of<int?>("--sae-k", "N",
        "Active features per position, for autoencoders whose files do not tell (such as overcomplete's).");

    /// <exception cref="CliException">The number is below 1.</exception>
    public int? Read(ParseResult parsed) => parsed.GetValue(Option) is { } k ? Require.AtLeast(1, "--sae-k", k) : null;
}

/// <summary><c>--device</c>: where to compute.</summary>
internal sealed class DeviceArgument
{
    public Option<string> Option { get; } = Setting.Of("--device", "DEVICE", "cpu, cuda or cuda:N.", "cpu");

    /// <exception cref="CliException">The text is not a device name.</exception>
    /// <exception cref="ModelException">There is no such device; the message says how many there are.</exception>
    public string Read(ParseResult parsed)
    {
        var text = parsed.GetRequiredValue(Option);
        return Devices.IsDevice(text)
            ? OnDevice.Require(text)
            : throw new CliException($"--device {Line.Quote(text)}: no such device; use cpu, cuda or cuda:N.");
    }
}

/// <summary>Models that the user names, each a folder or a file.</summary>
internal static class InputPath
{
    /// <summary><c>--base</c>.</summary>
    public static Option<string?> Base() => Setting.Of<string?>("--base", "PATH",
        "Model that lends what a one-file model lacks: other parts, the tokenizer, the configuration of unusual sizes.");

    /// <summary><c>--tokenizer</c>.</summary>
    public static Option<string?> Tokenizer() => Setting.Of<string?>("--tokenizer", "DIR",
        "Folder of another tokenizer, or a model's folder with tokenizer and tokenizer_2 (default for one file: CLIP's own).");

    /// <summary><c>--cache</c>.</summary>
    public static Option<string?> Cache() => Setting.Of<string?>("--cache", "DIR|off",
        "Folder that keeps the converted weights, so that the next start on a CPU maps them into memory (default: off).");

    /// <summary><c>--lora</c>.</summary>
    public static Option<string[]> Loras() => Setting.Of<string[]>("--lora", "FILE[:SCALE]",
        "LoRA to merge into the weights, in the names of diffusers, PEFT or kohya (scale 1 unless given); may be repeated.");

    /// <summary>The files of <c>--lora</c>.</summary>
    /// <exception cref="CliException">There is no such file, or there are too many.</exception>
    public static IReadOnlyList<LoraFile> ReadLoras(ParseResult parsed, Option<string[]> option)
    {
        LoraFile[] loras = [.. (parsed.GetValue(option) ?? []).Select(LoraFile.Parse)];
        if (loras.Length > RecipeLimits.MaxLoras)
            throw new CliException($"{option.Name}: {loras.Length} were given, and {RecipeLimits.MaxLoras} are allowed.");
        return Array.Find(loras, lora => !File.Exists(lora.Path)) is { } missing
            ? throw new CliException($"{option.Name} {Line.Quote(missing.Path)}: there is no such file.")
            : loras;
    }

    /// <summary>The path of an option; null if the option is missing.</summary>
    /// <exception cref="CliException">There is no such file or folder.</exception>
    public static string? Read(ParseResult parsed, Option<string?> option)
    {
        if (parsed.GetValue(option) is not { } path)
            return null;
        if (path.Length == 0)
            throw new CliException($"{option.Name}: the name of a file or folder is expected.");
        return File.Exists(path) || Directory.Exists(path)
            ? path
            : throw new CliException($"{option.Name} {Line.Quote(path)}: there is no such file or folder.");
    }
}

/// <summary><c>--atlas</c>, which defaults to the atlas that the studio shows for a model.</summary>
internal sealed class AtlasArgument(string description)
{
    public Option<string?> Option { get; } = Setting.Of<string?>("--atlas", "DIR", description);

    /// <summary>The folder of the atlas; null if none is named and the model has none.</summary>
    /// <exception cref="CliException">The named folder holds no atlas.</exception>
    public string? Find(ParseResult parsed, ModelArguments model)
    {
        if (InputFolder.Read(parsed, Option) is not { } folder)
            return model.AtlasFolder(parsed);
        return File.Exists(Path.Combine(folder, AtlasReader.FileName))
            ? folder
            : throw new CliException($"--atlas {Line.Quote(folder)}: this folder holds no {AtlasReader.FileName}.");
    }
}
