using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>What one step made of the latents.</summary>
/// <param name="Latents">The latents after the step, in the model output's dtype.</param>
/// <param name="Denoised">The clean latents (x0) as this step sees them, float32.</param>
public readonly record struct SchedulerStep(torch.Tensor Latents, torch.Tensor Denoised);

/// <summary>A sampler for a fixed number of steps. It holds no state: any step can be made again, or first.</summary>
public interface IScheduler
{
    SigmaSchedule Schedule { get; }

    /// <summary>Every step, the last included, takes a fresh noise tensor.</summary>
    bool DrawsNoise { get; }

    /// <summary>The latents as the U-Net takes them in step <paramref name="step"/>: latents / sqrt(sigma^2 + 1).</summary>
    torch.Tensor ScaleInput(torch.Tensor latents, int step);

    /// <summary>Makes step <paramref name="step"/>.</summary>
    /// <param name="modelOutput">The U-Net's output, after guidance, of the latents' shape.</param>
    /// <param name="step">Index of the step.</param>
    /// <param name="latents">The latents before the step.</param>
    /// <param name="noise">A standard normal draw of the same shape; null only where <see cref="DrawsNoise"/> is false.</param>
    SchedulerStep Step(torch.Tensor modelOutput, int step, torch.Tensor latents, torch.Tensor? noise);
}

/// <summary>Deterministic Euler steps along the probability-flow ODE (algorithm 2 of arXiv 2206.00364 without churn).</summary>
internal sealed class EulerDiscreteScheduler(SigmaSchedule schedule) : IScheduler
{
    public SigmaSchedule Schedule => schedule;

    public bool DrawsNoise => false;

    public Tensor ScaleInput(Tensor latents, int step) => EulerStep.ScaleInput(schedule, latents, step);

    public SchedulerStep Step(Tensor modelOutput, int step, Tensor latents, Tensor? noise)
    {
        using var scope = NewDisposeScope();
        var (moved, denoised) = EulerStep.Move(schedule, modelOutput, step, latents, schedule.Sigmas[step + 1]);
        return new SchedulerStep(
            moved.to_type(modelOutput.dtype).MoveToOuterDisposeScope(),
            denoised.MoveToOuterDisposeScope());
    }
}

/// <summary>
/// Euler steps that go below the next noise level and come back up with fresh noise:
/// sigma_up^2 = to^2 (from^2 - to^2) / from^2, sigma_down^2 = to^2 - sigma_up^2.
/// </summary>
internal sealed class EulerAncestralDiscreteScheduler(SigmaSchedule schedule) : IScheduler
{
    public SigmaSchedule Schedule => schedule;

    public bool DrawsNoise => true;

    public Tensor ScaleInput(Tensor latents, int step) => EulerStep.ScaleInput(schedule, latents, step);

    public SchedulerStep Step(Tensor modelOutput, int step, Tensor latents, Tensor? noise)
    {
        ArgumentNullException.ThrowIfNull(noise);
        using var scope = NewDisposeScope();
        var (from, to) = (schedule.Sigmas[step], schedule.Sigmas[step + 1]);
        var up = MathF.Sqrt(to * to * (from * from - to * to) / (from * from));
        var down = MathF.Sqrt(to * to - up * up);
        var (moved, denoised) = EulerStep.Move(schedule, modelOutput, step, latents, down);
        return new SchedulerStep(
            moved.Plus(noise.to_type(ScalarType.Float32).Times(up)).to_type(modelOutput.dtype).MoveToOuterDisposeScope(),
            denoised.MoveToOuterDisposeScope());
    }
}

/// <summary>The arithmetic both Euler samplers share, in float32.</summary>
internal static class EulerStep
{
    /// <summary>latents / sqrt(sigma^2 + 1), in the latents' dtype.</summary>
    public static Tensor ScaleInput(SigmaSchedule schedule, Tensor latents, int step)
    {
        var sigma = schedule.Sigmas[step];
        return latents.Over(MathF.Sqrt(sigma * sigma + 1f));
    }

    /// <summary>x + (x - x0) / sigma * (target - sigma), and x0.</summary>
    public static (Tensor Moved, Tensor Denoised) Move(SigmaSchedule schedule, Tensor modelOutput, int step, Tensor latents, float target)
    {
        var sigma = schedule.Sigmas[step];
        var x = latents.to_type(ScalarType.Float32);
        var output = modelOutput.to_type(ScalarType.Float32);
        var squared = sigma * sigma + 1f;
        var denoised = schedule.Config.Prediction switch
        {
            PredictionType.Epsilon => x - output.Times(sigma),
            PredictionType.VPrediction => output.Times(-sigma / MathF.Sqrt(squared)).Plus(x.Over(squared)),
            _ => output.alias(),
        };
        return (x.Plus((x - denoised).Over(sigma).Times(target - sigma)), denoised);
    }
}
