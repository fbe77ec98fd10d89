using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>
/// All of a run that does not change from step to step: the prepared conditioning, the schedule, the noise. Its steps can be made as
/// often as wanted, from any step on and with other hooks; the noise of a step is always the same, so a run that goes on from
/// the latents of step s gives the bits of the whole run. States held by the U-Net need the run alive.
/// </summary>
public sealed class DenoisingRun : IDisposable
{
    private readonly UNet _unet;
    private readonly NoiseSequence _noise;

    internal DenoisingRun(UNet unet, ImageRequest request, IScheduler scheduler, UNetConditioning conditioning, NoiseSequence noise)
    {
        (_unet, Request, Scheduler, Conditioning, _noise) = (unet, request, scheduler, conditioning, noise);
    }

    public ImageRequest Request { get; }

    public IScheduler Scheduler { get; }

    public UNetConditioning Conditioning { get; }

    /// <summary>The first draw, [B, C, h, w]: what the start latents are made of. The run's own.</summary>
    public Tensor StartNoise => _noise[0];

    /// <summary>The latents before the first step, [B, C, h, w]; the caller's.</summary>
    public Tensor StartLatents() => StartNoise.Times(Scheduler.Schedule.InitialNoiseSigma);

    /// <summary>What the U-Net is asked in a step that begins with these latents; its tensors are the caller's.</summary>
    public DenoisingInput InputOf(int step, Tensor latents)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var scaled = Scheduler.ScaleInput(latents, step);
        var sample = Request.IsGuided ? cat([scaled, scaled], 0) : scaled.alias();
        var timestep = tensor([Scheduler.Schedule.Timesteps[step]], device: sample.device);
        return new DenoisingInput(step, sample.MoveToOuterDisposeScope(), timestep.MoveToOuterDisposeScope(), Conditioning);
    }

    /// <summary>Makes the steps one by one as they are enumerated.</summary>
    /// <param name="firstStep">The step to begin with.</param>
    /// <param name="latents">The latents before that step (<see cref="DenoisingStep.Before"/> of another pass); null only for step 0.</param>
    /// <param name="predict">Asked in place of a plain pass through the U-Net.</param>
    /// <param name="cancellation">Looked at between the stages of the U-Net, and so between the steps.</param>
    public IEnumerable<DenoisingStep> Denoise(
        int firstStep = 0, Tensor? latents = null, NoisePredictor? predict = null, CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(firstStep);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(firstStep, Request.Steps);
        if (firstStep > 0)
        {
            ArgumentNullException.ThrowIfNull(latents);
        }

        return Steps(firstStep, latents, predict ?? Plain, cancellation);
    }

    public void Dispose()
    {
        Conditioning.Dispose();
        _noise.Dispose();
    }

    private IEnumerable<DenoisingStep> Steps(int firstStep, Tensor? latents, NoisePredictor predict, CancellationToken cancellation)
    {
        var current = latents ?? StartLatents();
        for (var i = firstStep; i < Request.Steps; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            var step = MakeStep(i, current, predict, cancellation);
            yield return step;
            current = step.After;
        }
    }

    // A method of its own: a dispose scope must not stay open while the caller runs.
    private DenoisingStep MakeStep(int index, Tensor latents, NoisePredictor predict, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var predicted = predict(InputOf(index, latents), cancellation);
        var output = Request.IsGuided ? Guide(predicted) : predicted;
        var (after, denoised) = Scheduler.Step(output, index, latents, Scheduler.DrawsNoise ? _noise[index + 1] : null);
        return new DenoisingStep(
            index,
            Scheduler.Schedule.Timesteps[index],
            Scheduler.Schedule.Sigmas[index],
            latents,
            output.MoveToOuterDisposeScope(),
            after.MoveToOuterDisposeScope(),
            denoised.MoveToOuterDisposeScope());
    }

    // unconditional + guidance * (conditional - unconditional)
    private Tensor Guide(Tensor predicted)
    {
        var halves = predicted.chunk(2, 0);
        return halves[0].Plus((halves[1] - halves[0]).Times(Request.Guidance));
    }

    private Tensor Plain(DenoisingInput input, CancellationToken cancellation) =>
        _unet.Forward(input.Sample, input.Timestep, input.Conditioning, cancellation);
}

/// <summary>What the U-Net is asked in one step.</summary>
/// <param name="Step">Index of the step.</param>
/// <param name="Sample">The latents as the U-Net takes them: scaled, and doubled under guidance (unconditional half first). [B, C, h, w].</param>
/// <param name="Timestep">[1], float32.</param>
/// <param name="Conditioning">Text and sizes, prepared.</param>
public sealed record DenoisingInput(int Step, Tensor Sample, Tensor Timestep, UNetConditioning Conditioning);

/// <summary>
/// Answers a step in the U-Net's place: runs it with hooks, with captures, or goes on from a held state. Returns the
/// prediction for <see cref="DenoisingInput.Sample"/>, of its shape.
/// </summary>
public delegate Tensor NoisePredictor(DenoisingInput input, CancellationToken cancellation);

/// <summary>One step, made. Its tensors belong to the caller (its dispose scope), all [B, C, h, w].</summary>
/// <param name="Index">Index of the step.</param>
/// <param name="Timestep">The step's timestep.</param>
/// <param name="Sigma">The noise level before the step.</param>
/// <param name="Before">The latents before the step.</param>
/// <param name="ModelOutput">The prediction, after guidance.</param>
/// <param name="After">The latents after the step.</param>
/// <param name="Denoised">The clean latents as this step sees them, float32; a preview.</param>
public sealed record DenoisingStep(
    int Index, float Timestep, float Sigma, Tensor Before, Tensor ModelOutput, Tensor After, Tensor Denoised);

/// <summary>What the U-Net is told of the images. Under guidance the batch is twice the images: first all unconditional ones.</summary>
/// <param name="Hidden">Text states, [B, 77, D].</param>
/// <param name="Pooled">Pooled text, [B, P].</param>
/// <param name="TimeIds">Height, width, crop top, crop left, target height, target width: [B, 6].</param>
public sealed record Conditioning(Tensor Hidden, Tensor Pooled, Tensor TimeIds);
