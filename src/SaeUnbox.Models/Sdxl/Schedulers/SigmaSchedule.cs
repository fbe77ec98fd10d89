namespace SaeUnbox.Models;

/// <summary>
/// Timesteps and noise levels of one run, from the variance-preserving training schedule:
/// sigma_t = sqrt((1 - a_t) / a_t), a_t the cumulative product of 1 - beta. Float32 where the reference
/// computes in float32, so that the stored sigmas are the same numbers.
/// </summary>
public sealed class SigmaSchedule
{
    /// <exception cref="ModelException">The number of steps is not between 1 and the number of training timesteps.</exception>
    public SigmaSchedule(SchedulerConfig config, int steps)
    {
        if (steps < 1 || steps > config.TrainTimesteps)
        {
            throw new ModelException($"The number of steps must be between 1 and {config.TrainTimesteps}, and is {steps}.");
        }

        Config = config;
        AlphasCumprod = CumulativeAlphas(config);
        Timesteps = MakeTimesteps(config, steps);
        var training = AlphasCumprod.Select(a => MathF.Sqrt((1f - a) / a)).ToArray();
        Sigmas =
        [
            .. Timesteps.Select(t => (float)Interpolate(training, t)),
            config.EndsAtSigmaMin ? training[0] : 0f,
        ];
        var largest = Sigmas.Max();
        InitialNoiseSigma = config.Spacing == TimestepSpacing.Leading ? MathF.Sqrt(largest * largest + 1f) : largest;
    }

    public SchedulerConfig Config { get; }

    /// <summary>Cumulative products of 1 - beta over the training timesteps.</summary>
    public IReadOnlyList<float> AlphasCumprod { get; }

    /// <summary>The timestep of every step, falling.</summary>
    public IReadOnlyList<float> Timesteps { get; }

    /// <summary>The noise level before every step, and the one after the last.</summary>
    public IReadOnlyList<float> Sigmas { get; }

    /// <summary>Standard deviation of the start latents.</summary>
    public float InitialNoiseSigma { get; }

    private static float[] CumulativeAlphas(SchedulerConfig config)
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

    // torch.linspace: both halves are counted from their own end.
    private static float[] Linspace(float start, float end, int count)
    {
        var step = (end - start) / (count - 1);
        var values = new float[count];
        for (var i = 0; i < count; i++)
        {
            values[i] = i < count / 2 ? start + step * i : end - step * (count - i - 1);
        }

        return values;
    }

    private static float[] MakeTimesteps(SchedulerConfig config, int steps)
    {
        var train = config.TrainTimesteps;
        var timesteps = new float[steps];
        for (var i = 0; i < steps; i++)
        {
            timesteps[i] = config.Spacing switch
            {
                TimestepSpacing.Leading => (steps - 1 - i) * (train / steps) + config.StepsOffset,
                TimestepSpacing.Trailing => (float)Math.Round(train - i * ((double)train / steps), MidpointRounding.ToEven) - 1,
                _ => steps == 1 ? 0 : (float)((train - 1d) / (steps - 1) * (steps - 1 - i)),
            };
        }

        return timesteps;
    }

    // numpy.interp over 0, 1, 2, …: in double, and clamped to the ends.
    private static double Interpolate(float[] values, double at)
    {
        if (at <= 0)
        {
            return values[0];
        }

        var left = (int)at;
        return left >= values.Length - 1
            ? values[^1]
            : values[left] + (at - left) * ((double)values[left + 1] - values[left]);
    }
}
