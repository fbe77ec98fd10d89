namespace SaeUnbox.Steering;

/// <summary>A model and its dictionaries on one device. Used by one thread at a time.</summary>
public sealed class LoadedModel : IDisposable
{
    private const int WorthAThread = 256;

    private static readonly string[] FileEndings = [".safetensors", ".ckpt", ".pt", ".pth", ".bin"];

    private readonly Lazy<string> _fingerprint;

    private LoadedModel(ISteerableModel model, SaeSet saes, ModelOptions options)
    {
        (Model, Dtype, Vae) = (model, options.Dtype, options.Vae);
        Saes = new(saes.Where(pair => !pair.Key.IsText).OrderBy(pair => model.OrderOf(pair.Key)));
        TextSaes = new(saes.Where(pair => pair.Key.IsText).OrderBy(pair => pair.Key));
        Threads = options.Threads ?? DefaultThreads(model);
        Info = Describe(model, Saes, options) with
        {
            TextSites = [.. TextSaes.Select(pair =>
                new SaeInfo(pair.Key, pair.Value.Features, pair.Value.K, pair.Value.Width, CellSize: 0) { Tokens = model.Tokens })],
        };
        _fingerprint = new(() => FingerprintOf(options));
    }

    public ISteerableModel Model { get; }

    /// <summary>Whether an operator takes about as long to start as to compute.</summary>
    public bool IsSmall => IsNarrow(Model);

    /// <summary>The dictionaries of the U-Net's sites, in the order in which a pass reaches them.</summary>
    public SaeSet Saes { get; }

    /// <summary>The dictionaries of the text encoder's layers, in their order.</summary>
    public SaeSet TextSaes { get; }

    /// <summary>The dictionary of a site of either.</summary>
    /// <exception cref="SaeException">No autoencoder was loaded for this site.</exception>
    public IFeatureDictionary DictionaryOf(Site site) => (site.IsText ? TextSaes : Saes)[site];

    public ModelInfo Info { get; }

    public Dtype Dtype { get; }

    public Vae Vae { get; }

    /// <summary>
    /// A hash of the files that determine latents: U-Net, text encoders, tokenizers, scheduler, LoRAs with their scales. Models of the same
    /// name differ in it.
    /// </summary>
    /// <exception cref="CheckpointException">The files no longer exist.</exception>
    public string Fingerprint => _fingerprint.Value;

    /// <summary>CPU threads per operator. The last digits of a result depend on it.</summary>
    public int Threads { get; }

    /// <summary>Loads a model and checks that its autoencoders fit their sites.</summary>
    /// <param name="progress">Called with the fraction of the weights that is loaded.</param>
    /// <param name="cancellation">Stops loading between two tensors.</param>
    /// <exception cref="ModelException">The model's folder or configuration cannot be used.</exception>
    /// <exception cref="SaeException">An autoencoder is missing, broken, or does not fit its site.</exception>
    /// <exception cref="CheckpointException">A weights file is broken or does not fit.</exception>
    public static LoadedModel Load(ModelOptions options, Action<double>? progress = null, CancellationToken cancellation = default)
    {
        SaeUnbox.Models.Threads.Use(options.Threads ?? Environment.ProcessorCount);
        Devices.Require(options.Device);
        options = options.Sized().Resolved();
        var model = SteerableModels.Load(options.Folder, new PipelineOptions
        {
            DType = options.Dtype.ToScalarType(),
            Device = options.Device,
            Autoencoder = options.Vae == Vae.Tiny ? AutoencoderChoice.Tiny : AutoencoderChoice.KL,
            AutoencoderFolder = options.VaeFolder,
            SchedulerFolder = options.SchedulerFolder,
            BasePath = options.BasePath,
            TokenizerFolder = options.TokenizerFolder,
            Loras = options.Loras,
            CacheFolder = options.CacheFolder,
            Progress = progress,
            Note = options.Note,
            Cancellation = cancellation,
        });
        SaeSet? saes = null;
        try
        {
            saes = options.SaeFolder is { } folder ? SaeSet.Load(folder, options.Device, options.SaeVariant, options.SaeK) : new SaeSet([]);
            foreach (var (site, sae) in saes)
                RequireFit(site, sae, model);
            return new LoadedModel(model, saes, options);
        }
        catch
        {
            saes?.Dispose();
            model.Dispose();
            throw;
        }
    }

    /// <summary>Sets the model's number of threads for the calling thread.</summary>
    internal void UseThreads() => SaeUnbox.Models.Threads.Use(Threads);

    public void Dispose()
    {
        Saes.Dispose();
        TextSaes.Dispose();
        Model.Dispose();
    }

    // Operators on fewer channels finish before a second thread wakes up, so one thread leaves the other cores to other work.
    private static int DefaultThreads(ISteerableModel model) => IsNarrow(model) ? 1 : Environment.ProcessorCount;

    private static bool IsNarrow(ISteerableModel model) => model.Sites.Max(site => site.Channels) < WorthAThread;

    private static void RequireFit(Site site, IFeatureDictionary sae, ISteerableModel model)
    {
        var block = model.ShapeOf(site);
        if (sae.Width != block.Channels)
            throw new SaeException(
                $"{sae.Source}: the autoencoder takes vectors of {sae.Width} channels, but {site} of this model has {block.Channels}; it "
                + $"belongs to another model.");
    }

    private static ModelInfo Describe(ISteerableModel model, SaeSet saes, ModelOptions options)
    {
        var name = options.Name ?? NameOf(options.Folder);
        RecipeLora[] loras = [.. options.Loras.Select(lora => new RecipeLora(NameOf(lora.Path), lora.Scale, lora.Fingerprint()))];
        var sites = saes.Select(pair => (pair.Value, Shape: model.ShapeOf(pair.Key))).Select(pair => new SaeInfo(
            pair.Shape.Site, pair.Value.Features, pair.Value.K, pair.Value.Width, pair.Shape.Downscale * model.PixelsPerCell)
        {
            Nickname = pair.Shape.Nickname,
        });
        return new ModelInfo(name, string.Join(" + ", [name, .. loras]), model.Defaults.Steps, model.Defaults.Guidance,
            model.Defaults.Side, model.Defaults.Side, [.. sites])
        {
            Saes = SaesName(options),
            Loras = loras,
            Dtype = options.Dtype,
            FormerSide = options.Folder == EmbeddedModel.ModelFolder ? EmbeddedModel.FormerSide : null,
        };
    }

    // Each variant has its own feature numbers.
    private static string? SaesName(ModelOptions options) => options.SaeFolder is not { } folder ? null
        : options.SaeVariant is { } variant ? NameOf($"{NameOf(folder)}-{variant}")
        : NameOf(folder);

    private static string FingerprintOf(ModelOptions options)
    {
        string?[] models = File.Exists(options.Folder) ? [options.BasePath] : [options.Folder];
        string[] parts = ["unet", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "scheduler"];
        var folders = models.OfType<string>().SelectMany(model => parts.Select(part => (Part: part, Path: Path.Combine(model, part))))
            .Select(folder => folder.Part == "scheduler" ? (folder.Part, Path: options.SchedulerFolder ?? folder.Path) : folder)
            .Append((Part: "tokenizer", Path: options.TokenizerFolder ?? ""))
            .Append((Part: "scheduler", Path: options.SchedulerFolder ?? "")).Where(folder => Directory.Exists(folder.Path)).Distinct();
        var files = ((string?[])[options.Folder, options.BasePath]).OfType<string>().Where(File.Exists).Select(file => ("model", file))
            .Concat(options.Loras.Select((lora, i) => (FormattableString.Invariant($"lora {i} {lora.Scale}"), lora.Path)));
        return FileFingerprint.Compute(folders.SelectMany(folder => Directory.EnumerateFiles(folder.Path)
            .Where(file => !Path.GetFileName(file).StartsWith('.'))
            .Select(file => ($"{folder.Part}/{Path.GetFileName(file)}", file))).Concat(files));
    }

    // Drops the characters that a recipe's model name must not contain.
    internal static string NameOf(string path)
    {
        var name = HubCache.RepositoryOf(path) ?? Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)));
        if (FileEndings.Contains(Path.GetExtension(name), StringComparer.OrdinalIgnoreCase))
            name = Path.GetFileNameWithoutExtension(name);
        var kept = string.Concat(name.Select(c => char.IsLetterOrDigit(c) || c is '-' or '_' or '.' or ' ' ? c : '-')).TrimStart('.', ' ');
        kept = kept[..Math.Min(kept.Length, RecipeLimits.MaxNameLength)].TrimEnd();
        return kept.Length > 0 ? kept : "model";
    }
}

/// <summary>Checks whether a loaded model can run a recipe.</summary>
public static class RecipeFit
{
    private const string MakeMeans = "saeunbox statistics --write-scale";

    /// <summary>
    /// Checks all of a recipe: its values, what the catalogue knows of the model (<see cref="ModelFit"/>), and what only the loaded model
    /// knows.
    /// </summary>
    /// <exception cref="RecipeException">The message names every field that does not fit.</exception>
    public static CheckedRecipe Require(Recipe recipe, LoadedModel model)
    {
        var valid = recipe.Check();
        List<RecipeError> errors = [.. Check(recipe, model), .. ModelFit.Check(recipe, model.Info)];
        return errors.Count == 0 ? valid : throw new RecipeException(errors);
    }

    /// <summary>Checks what only the loaded model knows.</summary>
    /// <exception cref="RecipeException">The message names every field that does not fit.</exception>
    public static void Require(CheckedRecipe recipe, LoadedModel model)
    {
        List<RecipeError>? errors = null;
        foreach (var error in Check(recipe.Recipe, model))
            (errors ??= []).Add(error);
        if (errors is not null)
            throw new RecipeException(errors);
    }

    private static IEnumerable<RecipeError> Check(Recipe recipe, LoadedModel model)
    {
        if (recipe.Dtype is { } dtype && dtype != model.Dtype)
            yield return new("dtype", $"is {Names.Of<Dtype>(dtype)}, but the model is loaded in {Names.Of<Dtype>(model.Dtype)}");
        if (recipe.Vae is { } vae && vae != model.Vae)
            yield return new("vae", $"is {Names.Of<Vae>(vae)}, but the model is loaded with {Names.Of<Vae>(model.Vae)}");
        if (!model.Info.HasSaes(recipe.Saes))
            yield return new("saes",
                $"is \"{recipe.Saes}\", but the model is loaded with "
                + $"{(model.Info.Saes is { } saes ? $"the autoencoders \"{saes}\"" : "no autoencoders")}");
        if (!model.Info.HasLoras(recipe))
            yield return new("loras",
                $"it was made with {RecipeLora.Describe(recipe.Loras)}, but the model is loaded with "
                + $"{RecipeLora.Describe(model.Info.Loras)}");
        for (var i = 0; i < recipe.Edits.Count; i++)
            if (recipe.Edits[i] is { Mode.NeedsMean: true } edit && HasNoMeans(edit.Site, model))
                yield return new($"edits[{i}].mode",
                    $"{edit.Mode} needs the feature's mean activation, and the autoencoder of {edit.Site} has no mean.pt: make it with "
                    + $"{MakeMeans}, or use {string.Join(" or ", EditMode.All.Where(mode => !mode.NeedsMean))}");
        for (var i = 0; i < recipe.Interventions.Count; i++)
            if (recipe.Interventions[i] is SiteIntervention.Ablate ablate && model.Model.OrderOf(ablate.Site) < 0)
                yield return new($"interventions[{i}].site",
                    $"the model has no site {ablate.Site}; it has {string.Join(", ", model.Model.Sites.Select(shape => shape.Site))}");
            else if (recipe.Interventions[i] is SiteIntervention.Icon icon && HasNoMeans(icon.Site, model))
                yield return new($"interventions[{i}].feature",
                    $"an icon needs the feature's mean activation, and the autoencoder of {icon.Site} has no mean.pt: make "
                    + $"it with {MakeMeans}");
    }

    private static bool HasNoMeans(Site site, LoadedModel model) =>
        model.Info.Find(site) is not null && model.DictionaryOf(site).Scale is null;
}
