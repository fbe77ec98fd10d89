using TorchSharp;

namespace SaeUnbox.Steering;

/// <summary>A pipeline and its sparse autoencoders, held by one device and used by one thread.</summary>
public sealed class LoadedModel : IDisposable
{
    private const int TurboSteps = 1;
    private const int BaseSteps = 25;
    private const double BaseGuidance = 8;
    private const int WorthAThread = 256;

    private readonly Lazy<string> _fingerprint;

    private LoadedModel(SdxlPipeline pipeline, SaeSet saes, ModelOptions options)
    {
        (Pipeline, Saes, Dtype, Vae) = (pipeline, saes, options.Dtype, options.Vae);
        Threads = options.Threads ?? DefaultThreads(pipeline.UNet);
        Info = Describe(pipeline, saes, options.Name ?? NameOf(options.Folder)) with { Saes = SaesName(options) };
        _fingerprint = new(() => FingerprintOf(options));
    }

    public SdxlPipeline Pipeline { get; }

    public SaeSet Saes { get; }

    public ModelInfo Info { get; }

    public Dtype Dtype { get; }

    public Vae Vae { get; }

    /// <summary>Of what it computes latents with, U-Net, text encoders and scheduler, as its files are; models of one name differ in it.</summary>
    /// <exception cref="CheckpointException">The files are there no longer.</exception>
    public string Fingerprint => _fingerprint.Value;

    /// <summary>CPU threads of one operator; another number gives other last digits.</summary>
    public int Threads { get; }

    /// <summary>Loads a model and checks that its autoencoders fit their sites.</summary>
    /// <param name="progress">Told of the share of the weights that is loaded.</param>
    /// <param name="cancellation">Ends the loading between two tensors.</param>
    /// <exception cref="ModelException">The model's folder or configuration cannot be used.</exception>
    /// <exception cref="SaeException">An autoencoder is missing, broken, or does not fit its site.</exception>
    /// <exception cref="CheckpointException">A weights file is broken or does not fit.</exception>
    public static LoadedModel Load(ModelOptions options, Action<double>? progress = null, CancellationToken cancellation = default)
    {
        SaeUnbox.Models.Threads.Use(options.Threads ?? Environment.ProcessorCount);
        Devices.Require(options.Device);
        var pipeline = SdxlPipeline.Load(options.Folder, new SdxlPipelineOptions
        {
            DType = options.Dtype.ToScalarType(),
            Device = options.Device,
            Autoencoder = options.Vae == Vae.Tiny ? AutoencoderChoice.Tiny : AutoencoderChoice.KL,
            AutoencoderFolder = options.VaeFolder,
            SchedulerFolder = options.SchedulerFolder,
            Progress = progress,
            Cancellation = cancellation,
        });
        SaeSet? saes = null;
        try
        {
            saes = options.SaeFolder is { } folder ? SaeSet.Load(folder, options.Device, options.SaeVariant) : new SaeSet([]);
            foreach (var (site, sae) in saes) RequireFit(site, sae, pipeline.UNet);
            return new LoadedModel(pipeline, saes, options);
        }
        catch
        {
            saes?.Dispose();
            pipeline.Dispose();
            throw;
        }
    }

    /// <summary>Gives the calling thread the model's number of threads, whichever thread loaded it.</summary>
    internal void UseThreads() => SaeUnbox.Models.Threads.Use(Threads);

    public void Dispose()
    {
        Saes.Dispose();
        Pipeline.Dispose();
    }

    // Operators of fewer channels are done before a second thread is awake, and what it would have taken is left to others.
    private static int DefaultThreads(UNet unet) => unet.Config.Levels.Max(level => level.Channels) < WorthAThread ? 1 : Environment.ProcessorCount;

    private static void RequireFit(HookSite site, SparseAutoencoder sae, UNet unet)
    {
        var block = unet.SiteOf(site.Code);
        if (sae.Config.Width != block.Channels)
            throw new SaeException(
                $"{sae.Source}: the autoencoder takes vectors of {sae.Config.Width} channels, but {site} of this model has {block.Channels}; it belongs to another model.");
    }

    private static ModelInfo Describe(SdxlPipeline pipeline, SaeSet saes, string name)
    {
        // What a model was distilled for stands nowhere in its folder; a trailing ancestral scheduler is what few-step models ship.
        var fewSteps = pipeline.Scheduler.Ancestral || pipeline.Scheduler.Spacing == TimestepSpacing.Trailing;
        var cell = pipeline.Autoencoder.PixelsPerCell;
        var side = pipeline.UNet.Config.SampleSize * cell;
        var sites = saes.Select(pair => new SaeInfo(
            pair.Key, pair.Value.Config.Features, pair.Value.Config.K, pair.Value.Config.Width, pipeline.UNet.SiteOf(pair.Key.Code).Downscale * cell));
        return new ModelInfo(name, name, fewSteps ? TurboSteps : BaseSteps, fewSteps ? 0 : BaseGuidance, side, side, [.. sites]);
    }

    // Another variant numbers its features otherwise.
    private static string? SaesName(ModelOptions options) => options.SaeFolder is not { } folder ? null
        : options.SaeVariant is { } variant ? NameOf($"{NameOf(folder)}-{variant}")
        : NameOf(folder);

    private static string FingerprintOf(ModelOptions options)
    {
        var folders = new[] { "unet", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2" }.Select(part => (Part: part, Path: Path.Combine(options.Folder, part)))
            .Append((Part: "scheduler", Path: options.SchedulerFolder ?? Path.Combine(options.Folder, "scheduler"))).Where(folder => Directory.Exists(folder.Path));
        return FileFingerprint.Of(folders.SelectMany(folder => Directory.EnumerateFiles(folder.Path)
            .Where(file => !Path.GetFileName(file).StartsWith('.')).Select(file => ($"{folder.Part}/{Path.GetFileName(file)}", file))));
    }

    // A folder may be called anything; the name in a recipe may not.
    internal static string NameOf(string folder)
    {
        var name = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)));
        var kept = string.Concat(name.Select(c => char.IsLetterOrDigit(c) || c is '-' or '_' or '.' or ' ' ? c : '-')).TrimStart('.', ' ');
        kept = kept[..Math.Min(kept.Length, RecipeLimits.MaxNameLength)].TrimEnd();
        return kept.Length > 0 ? kept : "model";
    }
}
