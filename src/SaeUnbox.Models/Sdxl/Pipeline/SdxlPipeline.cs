using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>
/// Text to image with SDXL (arXiv 2307.01952) and SDXL Turbo: encode the prompts, denoise latents step by step, decode them.
/// Used by one thread at a time; the tensors it returns belong to the caller's dispose scope.
/// </summary>
public sealed class SdxlPipeline : ISteerableModel
{
    private const int FewSteps = 1, ManySteps = 25;
    private const double UsualGuidance = 8;

    private readonly IReadOnlyList<IDisposable> _owned;

    /// <param name="owned">Disposed with the pipeline: the weights of its parts.</param>
    public SdxlPipeline(
        PromptEncoder promptEncoder, UNet unet, IAutoencoder autoencoder, SchedulerConfig scheduler, Precision precision,
        bool forceZerosForEmptyPrompt = true, IReadOnlyList<IDisposable>? owned = null)
    {
        (PromptEncoder, UNet, Autoencoder, Scheduler, Precision) = (promptEncoder, unet, autoencoder, scheduler, precision);
        ForceZerosForEmptyPrompt = forceZerosForEmptyPrompt;
        _owned = owned ?? [];
    }

    public IReadOnlyList<SiteShape> Sites => UNet.Sites;

    // No file says which number of steps a model was distilled for. Few-step models ship a trailing or ancestral scheduler.
    public RunDefaults Defaults => Scheduler.Ancestral || Scheduler.Spacing == TimestepSpacing.Trailing
        ? new(FewSteps, 0, UNet.Config.SampleSize * PixelsPerCell)
        : new(ManySteps, UsualGuidance, UNet.Config.SampleSize * PixelsPerCell);

    public int PixelsPerCell => Autoencoder.PixelsPerCell;

    public PromptEncoder PromptEncoder { get; }

    public UNet UNet { get; }

    public IAutoencoder Autoencoder { get; }

    public SchedulerConfig Scheduler { get; }

    public Precision Precision { get; }

    /// <summary>Under guidance an absent negative prompt is all zeros; else, and where one is given, it is encoded, be it empty.</summary>
    public bool ForceZerosForEmptyPrompt { get; }

    /// <summary>Loads a model folder in diffusers' layout.</summary>
    /// <exception cref="ModelException">The folder, a configuration or an option cannot be used.</exception>
    /// <exception cref="CheckpointException">Weights are missing, broken, or do not fit the configuration.</exception>
    public static SdxlPipeline Load(string folder, SdxlPipelineOptions? options = null) => SdxlPipelineLoader.Load(folder, options ?? new());

    public string? WarnAbout(string prompt) => PromptEncoder.Tokenize(prompt).First.Warning;

    public Conditioning Encode(ImageRequest request)
    {
        request.Validate(Autoencoder.PixelsPerCell);
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var (hidden, pooled) = Encode(request.Prompts, request.BatchSize);
        if (request.IsGuided)
        {
            var (unconditional, unconditionalPooled) = request.NegativePrompts is null && ForceZerosForEmptyPrompt
                ? (zeros_like(hidden), zeros_like(pooled))
                : Encode(request.NegativePrompts ?? [""], request.BatchSize);
            (hidden, pooled) = (cat([unconditional, hidden], 0), cat([unconditionalPooled, pooled], 0));
        }

        float[] sizes = [request.Height, request.Width, 0, 0, request.Height, request.Width];
        var timeIds = tensor(sizes, device: Precision.Device).unsqueeze(0).repeat(hidden.shape[0], 1);
        return new Conditioning(hidden.MoveToOuterDisposeScope(), pooled.MoveToOuterDisposeScope(), timeIds.MoveToOuterDisposeScope());
    }

    public DenoisingRun Begin(ImageRequest request, Conditioning? conditioning = null)
    {
        request.Validate(Autoencoder.PixelsPerCell);
        var scheduler = Scheduler.For(request.Steps);
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

    public IDisposable Hook(HookSite site, SiteHook hook) => UNet.Hook(site, hook);

    public UNetRun Run(DenoisingInput input, IReadOnlyCollection<HookSite> capture, bool stop = false, CancellationToken cancellation = default) =>
        UNet.Run(input.Sample, input.Timestep, input.Conditioning, capture, stop, cancellation);

    public Tensor Resume(UNetState state, CancellationToken cancellation = default) => UNet.Resume(state, cancellation);

    public Tensor Decode(Tensor latents, CancellationToken cancellation = default)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        return Pixels.ToUnit(Autoencoder.Decode(latents, cancellation)).MoveToOuterDisposeScope();
    }

    /// <summary>Makes the images of a request from beginning to end.</summary>
    /// <param name="request">What to make.</param>
    /// <param name="progress">Told of every step; its tensors are gone after the call.</param>
    /// <param name="cancellation">Looked at between the stages of the U-Net and the blocks of the decoder.</param>
    /// <exception cref="ModelException">The request cannot be used.</exception>
    public GeneratedImages Generate(ImageRequest request, Action<DenoisingStep>? progress = null, CancellationToken cancellation = default)
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
        {
            part.Dispose();
        }
    }

    private (Tensor Hidden, Tensor Pooled) Encode(IReadOnlyList<string> prompts, int batch)
    {
        var encoding = PromptEncoder.Encode(prompts);
        return prompts.Count == batch
            ? (encoding.Hidden, encoding.Pooled)
            : (encoding.Hidden.repeat(batch, 1, 1), encoding.Pooled.repeat(batch, 1));
    }

    private static IReadOnlyList<T> Repeat<T>(IReadOnlyList<T> values, int count) =>
        values.Count == count ? values : [.. Enumerable.Repeat(values[0], count)];
}

/// <summary>Which decoder makes the picture.</summary>
public enum AutoencoderChoice
{
    /// <summary>The model's own, the folder vae.</summary>
    KL,

    /// <summary>A distilled one: faster by far, and a little less true.</summary>
    Tiny,
}

/// <summary>How a model folder is loaded.</summary>
public sealed record SdxlPipelineOptions
{
    /// <summary>float32, bfloat16 or float16 (on a CPU: numbers rounded to float16, arithmetic in float32).</summary>
    public ScalarType DType { get; init; } = ScalarType.Float32;

    public Device Device { get; init; } = CPU;

    public AutoencoderChoice Autoencoder { get; init; }

    /// <summary>The folder of the autoencoder; null: vae, or for the tiny one vae_tiny in the model's folder or beside it.</summary>
    public string? AutoencoderFolder { get; init; }

    /// <summary>The folder of another scheduler_config.json; null: the model's own.</summary>
    public string? SchedulerFolder { get; init; }

    /// <summary>Told of the share of the weights that is loaded.</summary>
    public Action<double>? Progress { get; init; }

    /// <summary>Ends the loading between two tensors.</summary>
    public CancellationToken Cancellation { get; init; }

    /// <summary>How large latents are decoded; null: the autoencoder's own choice.</summary>
    public Tiling? Tiling { get; init; }
}

/// <summary>
/// What to make. Prompts, negative prompts and seeds each hold one entry for all images, or one for every image of the batch;
/// an image comes out as it would alone.
/// </summary>
public sealed record ImageRequest
{
    public required IReadOnlyList<string> Prompts { get; init; }

    /// <summary>Null: absent, which is not the same as empty (force_zeros_for_empty_prompt).</summary>
    public IReadOnlyList<string>? NegativePrompts { get; init; }

    /// <summary>0 to 2^63 - 1; only the low 32 bits count.</summary>
    public required IReadOnlyList<long> Seeds { get; init; }

    public int Steps { get; init; } = 1;

    /// <summary>Above 1 it is classifier-free guidance (arXiv 2207.12598), and every step takes two passes.</summary>
    public double Guidance { get; init; }

    /// <summary>In pixels.</summary>
    public int Height { get; init; } = 512;

    /// <summary>In pixels.</summary>
    public int Width { get; init; } = 512;

    public bool IsGuided => Guidance > 1;

    /// <summary>Images of the batch.</summary>
    public int BatchSize => Math.Max(Math.Max(Prompts.Count, Seeds.Count), NegativePrompts?.Count ?? 0);

    /// <exception cref="ModelException">A value cannot be used; the message names it.</exception>
    public void Validate(int sizeMultiple)
    {
        CheckCount("prompts", Prompts.Count);
        CheckCount("seeds", Seeds.Count);
        CheckCount("negative prompts", NegativePrompts?.Count ?? 1);
        CheckSide("height", Height, sizeMultiple);
        CheckSide("width", Width, sizeMultiple);
        if (!double.IsFinite(Guidance))
        {
            throw new ModelException(string.Create(CultureInfo.InvariantCulture, $"The guidance must be a finite number, and is {Guidance}."));
        }
    }

    private void CheckCount(string what, int count)
    {
        if (count != 1 && count != BatchSize)
        {
            throw new ModelException($"A batch of {BatchSize} takes 1 or {BatchSize} {what}, and {count} are given.");
        }
    }

    private static void CheckSide(string what, int pixels, int multiple)
    {
        if (pixels < multiple || pixels % multiple != 0)
        {
            throw new ModelException($"The {what} must be a multiple of {multiple} pixels, and is {pixels}.");
        }
    }
}

/// <summary>What a request gave.</summary>
/// <param name="Latents">The final latents, [B, C, h, w].</param>
/// <param name="Images">The pictures, [B, 3, H, W], 0 … 1, float32; <see cref="Pixels.ToBytes"/> rounds them.</param>
public sealed record GeneratedImages(Tensor Latents, Tensor Images);

/// <summary>From what an autoencoder decodes to what a picture file holds.</summary>
public static class Pixels
{
    /// <summary>[B, 3, H, W] of about -1 … 1 to 0 … 1, clamped.</summary>
    public static Tensor ToUnit(Tensor decoded)
    {
        using var scope = NewDisposeScope();
        return decoded.Over(2).Plus(0.5).Between(0, 1).MoveToOuterDisposeScope();
    }

    /// <summary>[B, 3, H, W] of 0 … 1 to bytes [B, H, W, 3], contiguous; a half rounds to the even neighbour.</summary>
    public static Tensor ToBytes(Tensor unit)
    {
        using var scope = NewDisposeScope();
        return unit.permute(0, 2, 3, 1).Times(255).round().to_type(ScalarType.Byte).cpu().contiguous().MoveToOuterDisposeScope();
    }
}
