using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>
/// Text to image with SDXL (arXiv 2307.01952) and SDXL Turbo: encode the prompts, denoise latents step by step, decode them.
/// Used by one thread at a time; the tensors it returns belong to the caller's dispose scope.
/// </summary>
public sealed class SdxlPipeline : IDisposable
{
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

    /// <summary>Encodes prompts and sizes of a request; under guidance the negative prompts come first.</summary>
    /// <exception cref="ModelException">The request cannot be used.</exception>
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

    /// <summary>Prepares a run; its steps are made by <see cref="DenoisingRun.Denoise"/>.</summary>
    /// <param name="request">What to make.</param>
    /// <param name="conditioning">What <see cref="Encode(ImageRequest)"/> gave for the same prompts, size and guidance; null: it is made.</param>
    /// <exception cref="ModelException">The request cannot be used.</exception>
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

    /// <summary>Latents to pictures, [B, 3, H, W], 0 … 1, float32.</summary>
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
