using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>
/// The Euler sampler for a fixed number of steps: deterministic along the probability-flow ODE (arXiv 2206.00364, algorithm 2 without
/// churn), or ancestral, which adds fresh noise after each step. It holds no state between steps, so steps can be computed in any order.
/// The noise levels are those of a variance-preserving training schedule: sigma_t = sqrt((1 - a_t) / a_t), where a_t is the cumulative
/// product of 1 - beta. They are computed in float32 where diffusers does so, which makes them bitwise equal.
/// </summary>
public sealed class Scheduler
{
    private readonly PredictionType _prediction;

    /// <exception cref="ModelException">The number of steps is not between 1 and the number of training timesteps.</exception>
    public Scheduler(SchedulerConfig config, int steps)
    {
        if (steps < 1 || steps > config.TrainTimesteps)
            throw new ModelException($"The number of steps is {steps}; it must be from 1 to {config.TrainTimesteps}.");
        (_prediction, DrawsNoise) = (config.Prediction, config.Ancestral);
        Timesteps = SpaceTimesteps(config, steps);
        var training = CumulativeAlphas(config).Select(a => MathF.Sqrt((1f - a) / a)).ToArray();
        Sigmas = [.. Timesteps.Select(t => (float)Interpolate(training, t)), config.EndsAtSigmaMin ? training[0] : 0f];
        var largest = Sigmas.Max();
        InitialNoiseSigma = config.Spacing == TimestepSpacing.Leading ? MathF.Sqrt(largest * largest + 1f) : largest;
    }

    /// <summary>The timestep of each step, in descending order.</summary>
    public IReadOnlyList<float> Timesteps { get; }

    /// <summary>The noise level before each step, then the one after the last step.</summary>
    public IReadOnlyList<float> Sigmas { get; }

    /// <summary>Standard deviation of the start latents.</summary>
    public float InitialNoiseSigma { get; }

    /// <summary>Whether each step, including the last, needs fresh noise.</summary>
    public bool DrawsNoise { get; }

    /// <summary>The input of the U-Net: latents / sqrt(sigma^2 + 1), in the type of the latents.</summary>
    public Tensor ScaleInput(Tensor latents, int step) => latents.Over(MathF.Sqrt(Sigmas[step] * Sigmas[step] + 1f));

    /// <summary>
    /// x + (x - x0) / sigma * (target - sigma), in float32. The target is the next noise level. The ancestral sampler aims below it and
    /// adds noise instead: up^2 = next^2 (sigma^2 - next^2) / sigma^2, target^2 = next^2 - up^2.
    /// </summary>
    /// <param name="modelOutput">The output of the U-Net after guidance, of the same shape as the latents.</param>
    /// <param name="step">Index of the step.</param>
    /// <param name="latents">The latents before the step.</param>
    /// <param name="noise">Standard normal noise of the same shape; null only if <see cref="DrawsNoise"/> is false.</param>
    /// <returns>The latents after the step, in the type of the model output.</returns>
    public Tensor Step(Tensor modelOutput, int step, Tensor latents, Tensor? noise)
    {
        if (DrawsNoise)
            ArgumentNullException.ThrowIfNull(noise);
        using var scope = NewDisposeScope();
        var (sigma, next) = (Sigmas[step], Sigmas[step + 1]);
        var up = DrawsNoise ? MathF.Sqrt(next * next * (sigma * sigma - next * next) / (sigma * sigma)) : 0;
        var target = DrawsNoise ? MathF.Sqrt(next * next - up * up) : next;
        var x = latents.to_type(ScalarType.Float32);
        var denoised = Denoise(x, modelOutput.to_type(ScalarType.Float32), sigma);
        var moved = x.Plus((x - denoised).Over(sigma).Times(target - sigma));
        if (DrawsNoise)
            moved = moved.Plus(noise!.to_type(ScalarType.Float32).Times(up));
        return moved.to_type(modelOutput.dtype).MoveToOuterDisposeScope();
    }

    /// <summary>Cumulative products of 1 - beta over the training timesteps.</summary>
    internal static float[] CumulativeAlphas(SchedulerConfig config)
    {
        var betas = config.ScaledLinear
            ? Linspace((float)Math.Sqrt(config.BetaStart), (float)Math.Sqrt(config.BetaEnd), config.TrainTimesteps)
            : Linspace((float)config.BetaStart, (float)config.BetaEnd, config.TrainTimesteps);
        var product = 1d;
        return Array.ConvertAll(betas, beta =>
        {
            var alpha = 1f - (config.ScaledLinear ? beta * beta : beta);
            return (float)(product *= alpha);
        });
    }

    private Tensor Denoise(Tensor x, Tensor output, float sigma)
    {
        var squared = sigma * sigma + 1f;
        return _prediction switch
        {
            PredictionType.Epsilon => x - output.Times(sigma),
            PredictionType.VPrediction => output.Times(-sigma / MathF.Sqrt(squared)).Plus(x.Over(squared)),
            _ => output.alias(),
        };
    }

    // As torch.linspace does, counts the second half from the end.
    private static float[] Linspace(float start, float end, int count)
    {
        var step = (end - start) / (count - 1);
        var values = new float[count];
        for (var i = 0; i < count; i++)
            values[i] = i < count / 2 ? start + step * i : end - step * (count - i - 1);
        return values;
    }

    private static float[] SpaceTimesteps(SchedulerConfig config, int steps)
    {
        var train = config.TrainTimesteps;
        var timesteps = new float[steps];
        for (var i = 0; i < steps; i++)
            timesteps[i] = config.Spacing switch
            {
                TimestepSpacing.Leading => (steps - 1 - i) * (train / steps) + config.StepsOffset,
                TimestepSpacing.Trailing => (float)Math.Round(train - i * ((double)train / steps), MidpointRounding.ToEven) - 1,
                _ => steps == 1 ? 0 : (float)((train - 1d) / (steps - 1) * (steps - 1 - i)),
            };
        return timesteps;
    }

    // numpy.interp over 0, 1, 2, …: computed in double, clamped at the ends.
    private static double Interpolate(float[] values, double at)
    {
        if (at <= 0)
            return values[0];
        var left = (int)at;
        return left >= values.Length - 1 ? values[^1] : values[left] + (at - left) * ((double)values[left + 1] - values[left]);
    }
}
