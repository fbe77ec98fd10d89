using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>
/// A sampler for a fixed number of steps. It holds no state between steps, so steps can be computed in any order: the latents between two
/// steps are [B, C, h, w], and a sampler that needs earlier predictions stacks them behind the latents, [1 + n, B, C, h, w]. Schedules are
/// computed in float32 where diffusers does so, which makes them bitwise equal.
/// </summary>
public abstract class Scheduler
{
    /// <summary>The timestep of each step, in descending order.</summary>
    public abstract IReadOnlyList<float> Timesteps { get; }

    /// <summary>Standard deviation of the start latents.</summary>
    public virtual float InitialNoiseSigma => 1;

    /// <summary>Creates the sampler of a configuration.</summary>
    /// <exception cref="ModelException">The configuration does not allow this number of steps.</exception>
    public static Scheduler Create(SchedulerConfig config, int steps) => config.Kind switch
    {
        SchedulerKind.Lcm => new LcmScheduler(config, steps),
        SchedulerKind.Ddim => new DdimScheduler(config, steps),
        SchedulerKind.Pndm => new PndmScheduler(config, steps),
        _ => new EulerScheduler(config, steps),
    };

    /// <summary>The latents alone, [B, C, h, w], without earlier predictions.</summary>
    public static Tensor LatentsOf(Tensor latents) => latents.dim() > 4 ? latents[0] : latents;

    /// <summary>Whether a step needs fresh noise.</summary>
    public virtual bool DrawsNoise(int step) => false;

    /// <summary>The input of the U-Net, [B, C, h, w], in the type of the latents.</summary>
    public virtual Tensor ScaleInput(Tensor latents, int step) => LatentsOf(latents).alias();

    /// <summary>Computes a step in float32.</summary>
    /// <param name="modelOutput">The output of the U-Net after guidance, [B, C, h, w].</param>
    /// <param name="step">Index of the step.</param>
    /// <param name="latents">The latents before the step.</param>
    /// <param name="noise">Standard normal noise of the same shape; null only if the step draws none.</param>
    /// <returns>The latents after the step, in the type of the model output.</returns>
    public abstract Tensor Step(Tensor modelOutput, int step, Tensor latents, Tensor? noise);

    /// <summary>
    /// Whether a step needs a second prediction, from what <see cref="Step"/> returned and for the next timestep, which
    /// <see cref="Correct"/> takes.
    /// </summary>
    public virtual bool Corrects(int step) => false;

    /// <summary>Computes a step again with a second prediction.</summary>
    /// <param name="latents">What <see cref="Step"/> returned for this step.</param>
    /// <returns>The latents after the step.</returns>
    /// <inheritdoc cref="Step"/>
    public virtual Tensor Correct(Tensor modelOutput, int step, Tensor latents) =>
        throw new InvalidOperationException($"Step {step} of {GetType().Name} needs no second prediction.");

    private protected static void RequireSteps(int steps, int most, string why = "")
    {
        if (steps < 1 || steps > most)
            throw new ModelException($"The number of steps is {steps}; it must be from 1 to {most}{why}.");
    }

    /// <summary>The clean latents and the noise that a prediction means, where the latents are sqrt(a) clean + sqrt(1 - a) noise.</summary>
    private protected static (Tensor Clean, Tensor Noise) Separate(PredictionType prediction, Tensor latents, Tensor output, double alpha)
    {
        var (signal, spread) = (Math.Sqrt(alpha), Math.Sqrt(1 - alpha));
        return prediction switch
        {
            PredictionType.Epsilon => ((latents - output.Times(spread)).Over(signal), output),
            PredictionType.VPrediction =>
                (latents.Times(signal) - output.Times(spread), output.Times(signal).Plus(latents.Times(spread))),
            _ => (output, (latents - output.Times(signal)).Over(spread)),
        };
    }
}
