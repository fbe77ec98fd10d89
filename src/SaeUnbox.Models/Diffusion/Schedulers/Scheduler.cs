using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>
/// A sampler for a fixed number of steps. It holds no state between steps, so steps can be computed in any order. Schedules are computed
/// in float32 where diffusers does so, which makes them bitwise equal.
/// </summary>
public abstract class Scheduler
{
    /// <summary>The timestep of each step, in descending order.</summary>
    public abstract IReadOnlyList<float> Timesteps { get; }

    /// <summary>Standard deviation of the start latents.</summary>
    public abstract float InitialNoiseSigma { get; }

    /// <summary>Creates the sampler of a configuration.</summary>
    /// <exception cref="ModelException">The configuration does not allow this number of steps.</exception>
    public static Scheduler Create(SchedulerConfig config, int steps) =>
        config.Kind == SchedulerKind.Lcm ? new LcmScheduler(config, steps) : new EulerScheduler(config, steps);

    /// <summary>Whether a step needs fresh noise.</summary>
    public abstract bool DrawsNoise(int step);

    /// <summary>The input of the U-Net, in the type of the latents.</summary>
    public abstract Tensor ScaleInput(Tensor latents, int step);

    /// <summary>Computes a step in float32.</summary>
    /// <param name="modelOutput">The output of the U-Net after guidance, of the same shape as the latents.</param>
    /// <param name="step">Index of the step.</param>
    /// <param name="latents">The latents before the step.</param>
    /// <param name="noise">Standard normal noise of the same shape; null only if the step draws none.</param>
    /// <returns>The latents after the step, in the type of the model output.</returns>
    public abstract Tensor Step(Tensor modelOutput, int step, Tensor latents, Tensor? noise);

    private protected static void RequireSteps(int steps, int most, string why = "")
    {
        if (steps < 1 || steps > most)
            throw new ModelException($"The number of steps is {steps}; it must be from 1 to {most}{why}.");
    }
}
