using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>
/// Everything that the steps of a run share: prepared conditioning, scheduler and noise. Steps can be repeated, also from a later step or
/// with other hooks. Each step always gets the same noise, so a run resumed from the latents of a step is bitwise equal to the whole run.
/// Dispose it only after the states that the U-Net captured during the run.
/// </summary>
public sealed class DenoisingRun : IDisposable
{
    private readonly UNet _unet;
    private readonly NoiseSequence _noise;

    internal DenoisingRun(UNet unet, ImageRequest request, Scheduler scheduler, UNetConditioning conditioning, NoiseSequence noise)
    {
        (_unet, Request, Scheduler, Conditioning, _noise) = (unet, request, scheduler, conditioning, noise);
    }

    public ImageRequest Request { get; }

    public Scheduler Scheduler { get; }

    public UNetConditioning Conditioning { get; }

    /// <summary>The start noise, [B, C, h, w]. Owned by the run.</summary>
    public Tensor StartNoise => _noise[0];

    /// <summary>The latents before the first step, [B, C, h, w]. The caller owns them.</summary>
    public Tensor StartLatents() => StartNoise.Times(Scheduler.InitialNoiseSigma);

    /// <summary>The input of the U-Net in a step that starts from these latents. The caller owns its tensors.</summary>
    public DenoisingInput InputOf(int step, Tensor latents) => InputOf(step, latents, isCorrection: false);

    private DenoisingInput InputOf(int step, Tensor latents, bool isCorrection)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var scaled = Scheduler.ScaleInput(latents, step);
        var sample = Request.IsGuided ? cat([scaled, scaled], 0) : scaled.alias();
        var timestep = tensor([Scheduler.Timesteps[isCorrection ? step + 1 : step]], device: sample.device);
        return new DenoisingInput(step, sample.MoveToOuterDisposeScope(), timestep.MoveToOuterDisposeScope(), Conditioning, isCorrection);
    }

    /// <summary>Computes each step when it is enumerated.</summary>
    /// <param name="firstStep">Index of the first step.</param>
    /// <param name="latents">The latents before that step (<see cref="DenoisingStep.Before"/>); null only for step 0.</param>
    /// <param name="predict">Replaces the plain forward pass of the U-Net.</param>
    /// <param name="cancellation">Checked between the stages of the U-Net.</param>
    public IEnumerable<DenoisingStep> Denoise(
        int firstStep = 0, Tensor? latents = null, NoisePredictor? predict = null, CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(firstStep);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(firstStep, Request.Steps);
        if (firstStep > 0)
            ArgumentNullException.ThrowIfNull(latents);
        return Steps(firstStep, latents, predict ?? PredictPlain, cancellation);
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
            var step = ComputeStep(i, current, predict, cancellation);
            yield return step;
            current = step.After;
        }
    }

    // Separate from the iterator, because a dispose scope must not stay open while the caller runs.
    private DenoisingStep ComputeStep(int index, Tensor latents, NoisePredictor predict, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var after = Scheduler.Step(Output(latents, false), index, latents, Scheduler.DrawsNoise(index) ? _noise[index + 1] : null);
        if (Scheduler.Corrects(index))
            after = Scheduler.Correct(Output(after, true), index, after);
        return new DenoisingStep(index, Scheduler.Timesteps[index], latents, after.MoveToOuterDisposeScope());

        Tensor Output(Tensor from, bool isCorrection)
        {
            var predicted = predict(InputOf(index, from, isCorrection), cancellation);
            return Request.IsGuided ? Guide(predicted) : predicted;
        }
    }

    // unconditional + guidance * (conditional - unconditional)
    private Tensor Guide(Tensor predicted)
    {
        var halves = predicted.chunk(2, 0);
        return halves[0].Plus((halves[1] - halves[0]).Times(Request.Guidance));
    }

    private Tensor PredictPlain(DenoisingInput input, CancellationToken cancellation) =>
        _unet.Forward(input.Sample, input.Timestep, input.Conditioning, cancellation);
}

/// <summary>The input of the U-Net in one step.</summary>
/// <param name="Step">Index of the step.</param>
/// <param name="Sample">
/// The scaled latents, [B, C, h, w]. With guidance they are there twice: first for the unconditional prediction.
/// </param>
/// <param name="Timestep">[1], float32.</param>
/// <param name="Conditioning">Prepared text and sizes.</param>
/// <param name="IsCorrection">It is the second input of the same step (<see cref="Scheduler.Corrects"/>).</param>
public sealed record DenoisingInput(
    int Step, Tensor Sample, Tensor Timestep, UNetConditioning Conditioning, bool IsCorrection = false);

/// <summary>
/// Predicts the noise of a step; for example with hooks, with captures, or by resuming from a captured state. Returns a tensor of the shape
/// of <see cref="DenoisingInput.Sample"/>.
/// </summary>
public delegate Tensor NoisePredictor(DenoisingInput input, CancellationToken cancellation);

/// <summary>
/// A completed step. Its tensors are latents as <see cref="Scheduler"/> describes them and belong to the dispose scope of the caller. Those
/// after the last step are [B, C, h, w].
/// </summary>
/// <param name="Index">Index of the step.</param>
/// <param name="Timestep">Timestep of the step.</param>
/// <param name="Before">The latents before the step.</param>
/// <param name="After">The latents after the step.</param>
public sealed record DenoisingStep(int Index, float Timestep, Tensor Before, Tensor After);

/// <summary>Encoded prompts and sizes. With guidance, B is twice the number of images: first all unconditional ones.</summary>
/// <param name="Hidden">Text states, [B, 77, D].</param>
/// <param name="Pooled">Pooled text, [B, P]; null for models that take none, such as SD 1.x.</param>
/// <param name="TimeIds">
/// Height, width, crop top, crop left, target height, target width: [B, 6]; null for models that take none.
/// </param>
public sealed record Conditioning(Tensor Hidden, Tensor? Pooled = null, Tensor? TimeIds = null);
