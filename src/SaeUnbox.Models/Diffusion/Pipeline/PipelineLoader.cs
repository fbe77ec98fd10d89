using System.Text.Json;

namespace SaeUnbox.Models;

/// <summary>Loads a pipeline from a model folder. If a part fails, it disposes the parts loaded before.</summary>
internal static class PipelineLoader
{
    // Height, width, crop top, crop left, target height, target width.
    private const int SizeConditions = 6;

    public static DiffusionPipeline Load(string path, PipelineOptions options)
    {
        using var model = ModelParts.Open(path, options);
        var precision = Precision.For(options.DType, options.Device);
        var reporting = precision with
        {
            OnRead = ReportProgress(model, options, precision),
            Note = options.Note,
            Cache = options.CacheFolder is { } cache ? new WeightCache(cache, options.Loras, options.Note) : null,
        };
        var owned = new List<IDisposable>();
        try
        {
            var scheduler = model.Family.Adapt(SchedulerConfig.From(options.SchedulerFolder is { } folder
                ? JsonConfig.Load(Path.Combine(folder, "scheduler_config.json"))
                : model.Scheduler));
            if (options.SchedulerFolder is null && model.Doubt is { } doubt)
                options.Note?.Invoke(doubt);
            var promptEncoder = PromptEncoder.Load(model, reporting);
            owned.Add(promptEncoder);
            var autoencoder = LoadAutoencoder(model, options, reporting, owned);
            var unet = LoadUNet(model, reporting, owned);
            CheckMatch(unet.Config, autoencoder, promptEncoder);
            return new DiffusionPipeline(
                model.Family, promptEncoder, unet, autoencoder, scheduler, precision,
                model.Index.Flag("force_zeros_for_empty_prompt", model.Family.ZerosForEmptyPrompt), owned);
        }
        catch
        {
            owned.ForEach(part => part.Dispose());
            throw;
        }
    }

    private static Action<long> ReportProgress(IModelParts model, PipelineOptions options, Precision precision)
    {
        var (done, all) = (0L, 0L);
        if (options.Progress is not null)
        {
            foreach (var name in model.Family.Networks.Where(name => name != OneFile.Autoencoder))
            {
                using var part = model.Open(name, precision.PrefersHalf);
                Add(part);
            }

            using var autoencoder = model.OpenAutoencoder(options, precision.PrefersHalf);
            Add(autoencoder);
        }

        return elements =>
        {
            options.Cancellation.ThrowIfCancellationRequested();
            options.Progress?.Invoke(Math.Min(1, (double)(done += elements) / all));
        };

        void Add(ModelPart part)
        {
            var source = StateDicts.Unwrap(part.Weights);
            all += source.Names.Sum(name => source.TryFind(name, out var entry) ? entry.Count : 0);
        }
    }

    private static IAutoencoder LoadAutoencoder(
        IModelParts model, PipelineOptions options, Precision precision, List<IDisposable> owned)
    {
        using var part = model.OpenAutoencoder(options, precision.PrefersHalf);
        return Keep(Models.Autoencoder.Load(part, precision with { IsInt8 = false }, options.Tiling), owned);
    }

    private static UNet LoadUNet(IModelParts model, Precision precision, List<IDisposable> owned)
    {
        using var part = model.Open("unet", precision.PrefersHalf);
        var config = UNetConfig.From(part.Config);
        return Keep(precision.Load(part.Weights, weights => new UNet(weights, config)), owned);
    }

    private static void CheckMatch(UNetConfig unet, IAutoencoder autoencoder, PromptEncoder text)
    {
        if (unet.InChannels != autoencoder.LatentChannels || unet.OutChannels != autoencoder.LatentChannels)
            throw new ModelException(
                $"The U-Net has {unet.InChannels} input and {unet.OutChannels} output channels, "
                + $"but the latents of the autoencoder have {autoencoder.LatentChannels}; models that take a picture beside the text, "
                + "such as those for inpainting, are not supported.");

        if (unet.Addition is null != (text.PooledSize == 0))
            throw new ModelException(unet.Addition is null
                ? "The model has two text encoders, but its U-Net takes no pooled text (addition_embed_type is missing)."
                : "The U-Net takes pooled text and sizes (addition_embed_type is text_time), but the model has one text encoder only.");

        if (unet.TextChannels != text.HiddenSize)
            throw new ModelException(
                $"The U-Net needs text states of width {unet.TextChannels}, but those of the text encoders are {text.HiddenSize} wide.");

        if (unet.Addition is { } addition && addition.Channels != text.PooledSize + SizeConditions * addition.TimeIdChannels)
            throw new ModelException(
                $"projection_class_embeddings_input_dim of the U-Net is {addition.Channels}, but pooled text and sizes have "
                + $"{text.PooledSize} + {SizeConditions} * {addition.TimeIdChannels} values.");
    }

    private static T Keep<T>((T Module, Weights Weights) loaded, List<IDisposable> owned)
    {
        owned.Add(loaded.Weights);
        return loaded.Module;
    }
}

/// <summary>The folder of a pipeline of diffusers, checked before any weights are read.</summary>
internal sealed class ModelFolder : IModelParts
{
    /// <exception cref="ModelException">The folder is missing, holds no known pipeline, or lacks a component.</exception>
    public ModelFolder(string path)
    {
        Path = path = HubCache.Resolve(path);
        if (!Directory.Exists(path))
            throw new ModelException($"The model {path} is missing.");

        var index = System.IO.Path.Combine(path, "model_index.json");
        if (!File.Exists(index))
            throw new ModelException($"{path} is not a model folder of diffusers: it contains no model_index.json.");

        Index = JsonConfig.Load(index);
        Family = ModelFamily.Of(Index);

        string[] needed = ["unet", .. Family.TextEncoders, .. Family.Tokenizers, "scheduler"];
        // Entries of parts that a pipeline does without are [null, null].
        if (needed.Where(name => Index.Find(name) is { ValueKind: JsonValueKind.Array } part && part.EnumerateArray()
            .All(entry => entry.ValueKind == JsonValueKind.Null)).ToArray() is { Length: > 0 } absent)
            throw new ModelException($"{index}: the pipeline has no {string.Join(", ", absent)} (the entry is [null, null]), as SDXL's "
                + "refiner has none; such a pipeline is not supported.");
        if (needed.Where(name => !Directory.Exists(At(name))).ToArray() is { Length: > 0 } missing)
            throw new ModelException($"The model folder {path} is incomplete; missing folders: {string.Join(", ", missing)}.");
    }

    public string Path { get; }

    /// <summary>model_index.json.</summary>
    public JsonConfig Index { get; }

    public ModelFamily Family { get; }

    public JsonConfig Scheduler => JsonConfig.Load(System.IO.Path.Combine(At("scheduler"), "scheduler_config.json"));

    public ModelPart Open(string part, bool preferHalf) => Directory.Exists(At(part))
        ? ModelPart.OpenFolder(At(part), preferHalf)
        : throw new ModelException($"The model folder {Path} has no folder {part}.");

    public ClipTokenizer Tokenizer(string part, TextCleaning cleaning) => ClipTokenizer.Load(At(part), cleaning);

    public void Dispose()
    {
        // Each part is a folder of its own, so nothing is open between them.
    }

    private string At(string part) => System.IO.Path.Combine(Path, part);
}

/// <summary>Models that have the same parts and make conditioning from a prompt alike.</summary>
/// <param name="Pipeline">The class of diffusers that runs it.</param>
/// <param name="TextEncoders">Folders of the text encoders, in the order in which their states are put side by side.</param>
/// <param name="Tokenizers">Folders of their tokenizers.</param>
/// <param name="ZerosForEmptyPrompt">Without a negative prompt, guidance takes zeros for it unless model_index.json says otherwise.</param>
/// <param name="Steps">Usual number of steps of a model that is not made for few.</param>
/// <param name="Guidance">Its usual scale of guidance.</param>
/// <param name="Nicknames">What sites are known for.</param>
internal sealed record ModelFamily(
    string Pipeline, IReadOnlyList<string> TextEncoders, IReadOnlyList<string> Tokenizers, bool ZerosForEmptyPrompt,
    int Steps, double Guidance, IReadOnlyDictionary<Site, string> Nicknames)
{
    /// <summary>
    /// SDXL and SDXL Turbo: two text encoders, pooled text and sizes of the image. Sites are known from arXiv 2410.22366.
    /// </summary>
    public static ModelFamily Sdxl { get; } = new(
        "StableDiffusionXLPipeline", ["text_encoder", "text_encoder_2"], ["tokenizer", "tokenizer_2"], ZerosForEmptyPrompt: true,
        Steps: 25, Guidance: 8, new Dictionary<Site, string>
        {
            [Site.Composition] = "composition",
            [Site.Middle] = "middle",
            [Site.Details] = "details",
            [Site.Style] = "style",
        });

    /// <summary>SD 1.x, SD 2.x and SD-Turbo: one text encoder. Sites are known from arXiv 2501.18052 (SAeUron, on SD 1.5).</summary>
    public static ModelFamily Sd { get; } = new(
        "StableDiffusionPipeline", ["text_encoder"], ["tokenizer"], ZerosForEmptyPrompt: false,
        Steps: 50, Guidance: 7.5, new Dictionary<Site, string> { [Site.Up(1, 1)] = "objects", [Site.Up(1, 2)] = "style" });

    /// <summary>The networks that a pipeline consists of, by their folders.</summary>
    public IReadOnlyList<string> Networks => [.. TextEncoders, "unet", "vae"];

    /// <summary>The family of a U-Net.</summary>
    public static ModelFamily Of(UNetConfig config) => config.Addition is null ? Sd : Sdxl;

    /// <summary>The configuration that the pipeline of diffusers makes of its scheduler's.</summary>
    public SchedulerConfig Adapt(SchedulerConfig scheduler) =>
        this == Sd ? scheduler with { StepsOffset = 1, ClipRange = null } : scheduler;

    /// <summary>The family of a pipeline.</summary>
    /// <param name="index">Its model_index.json.</param>
    /// <exception cref="ModelException">Its class is of no known family.</exception>
    public static ModelFamily Of(JsonConfig index) => index.Text("_class_name") switch
    {
        var kind when kind.StartsWith("StableDiffusionXL", StringComparison.Ordinal) => Sdxl,
        "StableDiffusionPipeline" or "StableDiffusionImg2ImgPipeline" => Sd,
        var other => throw index.Wrong("_class_name", $"{Sdxl.Pipeline} or {Sd.Pipeline}, but is \"{other}\", which is not supported"),
    };
}

/// <summary>
/// The cache folder of the Hugging Face hub: <c>models--OWNER--NAME</c> holds <c>refs/BRANCH</c> with the name of a revision, and the
/// files of each revision in <c>snapshots/REVISION</c>.
/// </summary>
public static class HubCache
{
    private const string Prefix = "models--", Separator = "--", Snapshots = "snapshots", Refs = "refs", MainBranch = "main";
    private const int MaxRevisionLength = 200;

    /// <summary>The snapshot that a cache folder stands for; any other folder as it is.</summary>
    /// <exception cref="ModelException">The cache folder has no snapshot, or does not say which one is meant.</exception>
    public static string Resolve(string folder)
    {
        var snapshots = Path.Combine(folder, Snapshots);
        if (!Path.GetFileName(Full(folder)).StartsWith(Prefix, StringComparison.Ordinal) || !Directory.Exists(snapshots))
            return folder;
        var present = Directory.EnumerateDirectories(snapshots).Order(StringComparer.Ordinal).ToList();
        if (present.Count == 0)
            throw new ModelException($"{folder} is a cache folder of the hub without a snapshot; download the model again.");
        var refs = Path.Combine(folder, Refs);
        var branches = Directory.Exists(refs)
            ? Directory.EnumerateFiles(refs, "*", SearchOption.AllDirectories).ToList() : [];
        var branch = branches.Find(path => Path.GetRelativePath(refs, path) == MainBranch) ?? (branches.Count == 1 ? branches[0] : null);
        if (branch is not null)
        {
            var revision = TextFile.Read(branch, MaxRevisionLength).Trim();
            return present.Find(path => Path.GetFileName(path) == revision) ?? throw new ModelException(
                $"{branch} names the snapshot {revision}, which is missing; download the model again, or name one of "
                + $"{string.Join(", ", present)}.");
        }
        return present is [var only]
            ? only
            : throw new ModelException($"{folder} has several snapshots and no refs/main; name one of {string.Join(", ", present)}.");
    }

    /// <summary>
    /// The name of the repository, without its owner, if the folder is a cache folder or one of its snapshots; otherwise null.
    /// </summary>
    public static string? RepositoryOf(string folder)
    {
        var full = Full(folder);
        var parent = Path.GetDirectoryName(full);
        if (Path.GetFileName(parent) == Snapshots)
            full = Path.GetDirectoryName(parent)!;
        var name = Path.GetFileName(full);
        return name.StartsWith(Prefix, StringComparison.Ordinal) && Directory.Exists(Path.Combine(full, Snapshots))
            ? name.Split(Separator)[^1] : null;
    }

    private static string Full(string folder) => Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
}
