using System.Globalization;
using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>
/// Makes images from text with Stable Diffusion 1.x or 2.x (arXiv 2112.10752), SDXL (arXiv 2307.01952), or a Turbo model: encodes prompts,
/// denoises latents step by step, and decodes them. Not thread-safe. Returned tensors belong to the dispose scope of the caller.
/// </summary>
public sealed class DiffusionPipeline : ISteerableModel
{
    private const int FewSteps = 1, ConsistencySteps = 4;

    private readonly ModelFamily _family;
    private readonly IReadOnlyList<IDisposable> _owned;
    private readonly List<(int Layer, TextHook Hook)> _textHooks = [];

    /// <param name="owned">The weights of the parts, disposed with the pipeline.</param>
    internal DiffusionPipeline(
        ModelFamily family, PromptEncoder promptEncoder, UNet unet, IAutoencoder autoencoder, SchedulerConfig scheduler,
        Precision precision, bool forceZerosForEmptyPrompt, IReadOnlyList<IDisposable> owned)
    {
        (PromptEncoder, UNet, Autoencoder, Scheduler, Precision) = (promptEncoder, unet, autoencoder, scheduler, precision);
        (_family, ForceZerosForEmptyPrompt, _owned) = (family, forceZerosForEmptyPrompt, owned);
    }

    public IReadOnlyList<SiteShape> Sites => UNet.Sites;

    public IReadOnlyList<SiteShape> TextSites =>
        [.. Enumerable.Range(0, PromptEncoder.FirstLayers)
            .Select(layer => new SiteShape(Site.Text(layer), PromptEncoder.First.Config.HiddenSize, 1))];

    public int Tokens => PromptEncoder.Length;

    // No file contains the number of steps a model was distilled for. Models for few steps have a trailing or ancestral scheduler or LCM.
    public RunDefaults Defaults
    {
        get
        {
            var side = UNet.Config.SampleSize * PixelsPerCell;
            if (Scheduler.Kind == SchedulerKind.Lcm)
                return new(ConsistencySteps, 0, side);
            return Scheduler.Ancestral || Scheduler.Spacing == TimestepSpacing.Trailing && !Scheduler.ZeroSnr
                ? new(FewSteps, 0, side)
                : new(_family.Steps, _family.Guidance, side);
        }
    }

    public int PixelsPerCell => Autoencoder.PixelsPerCell;

    public PromptEncoder PromptEncoder { get; }

    public UNet UNet { get; }

    public IAutoencoder Autoencoder { get; }

    public SchedulerConfig Scheduler { get; }

    public Precision Precision { get; }

    /// <summary>With guidance, a missing negative prompt becomes zeros instead of an encoded empty text.</summary>
    public bool ForceZerosForEmptyPrompt { get; }

    /// <summary>Loads a model folder in the layout of diffusers, or a one-file checkpoint.</summary>
    /// <exception cref="ModelException">The path, a configuration or an option is not usable.</exception>
    /// <exception cref="CheckpointException">Weights are missing, damaged, or do not match the configuration.</exception>
    public static DiffusionPipeline Load(string path, PipelineOptions? options = null) =>
        PipelineLoader.Load(path, options ?? new());

    public string? WarnAbout(string prompt) => PromptEncoder.Tokenizers[0].Tokenize(prompt).Warning;

    public Conditioning Encode(ImageRequest request)
    {
        request.Validate(Autoencoder.PixelsPerCell);
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var (hidden, pooled) = Encode(request.Prompts, request.BatchSize, isNegative: false);
        if (request.IsGuided)
        {
            var (unconditional, unconditionalPooled) = request.NegativePrompts is null && ForceZerosForEmptyPrompt
                ? (zeros_like(hidden), pooled is null ? null : zeros_like(pooled))
                : Encode(request.NegativePrompts ?? [""], request.BatchSize, isNegative: true);
            hidden = cat([unconditional, hidden], 0);
            pooled = pooled is null ? null : cat([unconditionalPooled!, pooled], 0);
        }

        if (pooled is null)
            return new Conditioning(hidden.MoveToOuterDisposeScope());
        float[] sizes = [request.Height, request.Width, 0, 0, request.Height, request.Width];
        var timeIds = tensor(sizes, device: Precision.Device).unsqueeze(0).repeat(hidden.shape[0], 1);
        return new Conditioning(hidden.MoveToOuterDisposeScope(), pooled.MoveToOuterDisposeScope(), timeIds.MoveToOuterDisposeScope());
    }

    public DenoisingRun Begin(ImageRequest request, Conditioning? conditioning = null)
    {
        request.Validate(Autoencoder.PixelsPerCell);
        var scheduler = Models.Scheduler.Create(Scheduler, request.Steps);
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var (hidden, pooled, timeIds) = conditioning ?? Encode(request);
        long[] shape =
        [
            request.BatchSize, UNet.Config.InChannels,
            request.Height / Autoencoder.PixelsPerCell, request.Width / Autoencoder.PixelsPerCell,
        ];
        var seeds = Repeat(request.Seeds, request.BatchSize);
        var noise = new NoiseSequence(seeds, shape, Precision.Storage, draw => draw.to(Precision.Arithmetic, Precision.Device));
        return new DenoisingRun(UNet, request, scheduler, UNet.Prepare(hidden, pooled, timeIds), noise);
    }

    public IDisposable Hook(Site site, SiteHook hook) => UNet.Hook(site, hook);

    public IDisposable HookNeurons(Site site, NeuronHook hook) => UNet.HookNeurons(site, hook);

    public IDisposable HookText(Site site, TextHook hook)
    {
        var entry = (SiteShape.Find(TextSites, site).Site.Attention, hook);
        _textHooks.Add(entry);
        return new Removal(() => _textHooks.Remove(entry));
    }

    public UNetRun Run(
        DenoisingInput input, IReadOnlyCollection<Site> capture, bool stop = false, CancellationToken cancellation = default) =>
        UNet.Run(input.Sample, input.Timestep, input.Conditioning, capture, stop, cancellation);

    public Tensor Resume(UNetState state, CancellationToken cancellation = default) => UNet.Resume(state, cancellation);

    public Tensor Decode(Tensor latents, CancellationToken cancellation = default)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        return Pixels.ToUnit(Autoencoder.Decode(latents, cancellation)).MoveToOuterDisposeScope();
    }

    /// <summary>Makes the images of a request.</summary>
    /// <param name="request">The images to make.</param>
    /// <param name="progress">Called after each step. The tensors of the step are valid until this method returns.</param>
    /// <param name="cancellation">Checked between the stages of the U-Net and the blocks of the decoder.</param>
    /// <exception cref="ModelException">The request is not valid.</exception>
    public GeneratedImages Generate(
        ImageRequest request, Action<DenoisingStep>? progress = null, CancellationToken cancellation = default)
    {
        using var scope = NewDisposeScope();
        using var run = Begin(request);
        Tensor? latents = null;
        foreach (var step in run.Denoise(cancellation: cancellation))
        {
            progress?.Invoke(step);
            latents = step.After;
        }

        return new GeneratedImages(latents!.MoveToOuterDisposeScope(), Decode(latents, cancellation).MoveToOuterDisposeScope());
    }

    public void Dispose()
    {
        foreach (var part in _owned)
            part.Dispose();
    }

    private (Tensor Hidden, Tensor? Pooled) Encode(IReadOnlyList<string> prompts, int batch, bool isNegative)
    {
        PromptEncoder.First.AfterLayer = _textHooks.Count == 0 ? null : (layer, output) => _textHooks
            .Where(entry => entry.Layer == layer).Aggregate(output, (current, entry) => entry.Hook(current, isNegative));
        var encoding = PromptEncoder.Encode(prompts);
        return prompts.Count == batch
            ? (encoding.Hidden, encoding.Pooled)
            : (encoding.Hidden.repeat(batch, 1, 1), encoding.Pooled?.repeat(batch, 1));
    }

    private static IReadOnlyList<T> Repeat<T>(IReadOnlyList<T> values, int count) =>
        values.Count == count ? values : [.. Enumerable.Repeat(values[0], count)];
}

/// <summary>Which autoencoder decodes the images.</summary>
public enum AutoencoderChoice
{
    /// <summary>The AutoencoderKL in the folder vae of the model.</summary>
    KL,

    /// <summary>An AutoencoderTiny, which is much faster and slightly less accurate.</summary>
    Tiny,
}

/// <summary>Options for loading a model.</summary>
public sealed record PipelineOptions
{
    /// <summary>float32, bfloat16 or float16. On a CPU, float16 means float32 arithmetic with weights rounded to float16.</summary>
    public ScalarType DType { get; init; } = ScalarType.Float32;

    public Device Device { get; init; } = CPU;

    public AutoencoderChoice Autoencoder { get; init; }

    /// <summary>
    /// Folder or file of the autoencoder. Null for that of the model, or for vae_tiny in the model folder or next to it.
    /// </summary>
    public string? AutoencoderFolder { get; init; }

    /// <summary>Folder with another scheduler_config.json; null for that of the model.</summary>
    public string? SchedulerFolder { get; init; }

    /// <summary>
    /// Folder or file of the model that lends what a one-file checkpoint lacks: parts, the tokenizer, and what shapes of tensors do not
    /// tell. Null if the file is whole and its sizes are those of SDXL.
    /// </summary>
    public string? BasePath { get; init; }

    /// <summary>Folder of another tokenizer, or with the folders tokenizer and tokenizer_2; null for that of the model.</summary>
    public string? TokenizerFolder { get; init; }

    /// <summary>LoRAs to merge into the weights, in this order.</summary>
    public IReadOnlyList<LoraFile> Loras { get; init; } = [];

    /// <summary>
    /// Folder in which the converted weights are kept, so that a later start on a CPU maps them into memory; null to keep none.
    /// </summary>
    public string? CacheFolder { get; init; }

    /// <summary>Called with the loaded share of the weights, from 0 to 1.</summary>
    public Action<double>? Progress { get; init; }

    /// <summary>
    /// Called with a sentence about anything unusual that was accepted, such as weights beside an optimizer, and about each LoRA.
    /// </summary>
    public Action<string>? Note { get; init; }

    /// <summary>Checked after each tensor.</summary>
    public CancellationToken Cancellation { get; init; }

    /// <summary>Which latents are decoded in tiles; null for the default of the autoencoder.</summary>
    public Tiling? Tiling { get; init; }
}

/// <summary>
/// The images to make. Prompts, negative prompts and seeds each have one entry for all images or one for each image. An image does not
/// depend on the others in its batch.
/// </summary>
public sealed record ImageRequest
{
    public required IReadOnlyList<string> Prompts { get; init; }

    /// <summary>Null if there is none, which can differ from an empty text (force_zeros_for_empty_prompt).</summary>
    public IReadOnlyList<string>? NegativePrompts { get; init; }

    /// <summary>From 0 to 2^63 - 1. Only the low 32 bits are used.</summary>
    public required IReadOnlyList<long> Seeds { get; init; }

    public int Steps { get; init; } = 1;

    /// <summary>Scale of classifier-free guidance (arXiv 2207.12598). Values up to 1 turn it off; above 1 it doubles the batch.</summary>
    public double Guidance { get; init; }

    /// <summary>In pixels.</summary>
    public int Height { get; init; } = 512;

    /// <summary>In pixels.</summary>
    public int Width { get; init; } = 512;

    /// <summary>The image of a recipe, without its edits.</summary>
    public static ImageRequest Of(Recipe recipe) => new()
    {
        Prompts = [recipe.Prompt],
        NegativePrompts = recipe.NegativePrompt is { } negative ? [negative] : null,
        Seeds = [recipe.Seed],
        Steps = recipe.Steps,
        Guidance = recipe.Guidance,
        Width = recipe.Width,
        Height = recipe.Height,
    };

    public bool IsGuided => Guidance > 1;

    /// <summary>Number of images.</summary>
    public int BatchSize => Math.Max(Math.Max(Prompts.Count, Seeds.Count), NegativePrompts?.Count ?? 0);

    /// <summary>Checks all values.</summary>
    /// <param name="sizeMultiple">Height and width must be multiples of this number of pixels.</param>
    /// <exception cref="ModelException">A value is not valid.</exception>
    public void Validate(int sizeMultiple)
    {
        CheckCount("prompts", Prompts.Count);
        CheckCount("seeds", Seeds.Count);
        CheckCount("negative prompts", NegativePrompts?.Count ?? 1);
        CheckSide("height", Height, sizeMultiple);
        CheckSide("width", Width, sizeMultiple);
        if (!double.IsFinite(Guidance))
            throw new ModelException(string.Create(
                CultureInfo.InvariantCulture, $"The guidance is {Guidance}; it must be a finite number."));
    }

    private void CheckCount(string what, int count)
    {
        if (count != 1 && count != BatchSize)
            throw new ModelException($"A batch of {BatchSize} needs 1 or {BatchSize} {what}, but got {count}.");
    }

    private static void CheckSide(string what, int pixels, int multiple)
    {
        if (pixels < multiple || pixels % multiple != 0)
            throw new ModelException($"The {what} is {pixels} pixels; it must be a multiple of {multiple}.");
    }
}

/// <summary>The result of a request.</summary>
/// <param name="Latents">The final latents, [B, C, h, w].</param>
/// <param name="Images">[B, 3, H, W] from 0 to 1, float32. <see cref="Pixels.ToBytes"/> converts them to bytes.</param>
public sealed record GeneratedImages(Tensor Latents, Tensor Images);

/// <summary>Converts decoded images to bytes.</summary>
public static class Pixels
{
    /// <summary>Maps [B, 3, H, W] from -1 … 1 to 0 … 1 and clamps it.</summary>
    public static Tensor ToUnit(Tensor decoded)
    {
        using var scope = NewDisposeScope();
        return decoded.Over(2).AddInPlace(0.5).Between(0, 1).MoveToOuterDisposeScope();
    }

    /// <summary>Converts [B, 3, H, W] from 0 … 1 to contiguous bytes [B, H, W, 3] on the CPU. Halves round to the even neighbour.</summary>
    public static Tensor ToBytes(Tensor unit)
    {
        using var scope = NewDisposeScope();
        return unit.permute(0, 2, 3, 1).Times(255).round_().to_type(ScalarType.Byte).cpu().contiguous().MoveToOuterDisposeScope();
    }
}
