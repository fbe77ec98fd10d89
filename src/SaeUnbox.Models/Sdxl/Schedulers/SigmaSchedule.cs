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

/// <summary>What the U-Net's output means.</summary>
public enum PredictionType
{
    /// <summary>The noise: x0 = x - sigma * output.</summary>
    Epsilon,

    /// <summary>The velocity: x0 = x / (sigma^2 + 1) - output * sigma / sqrt(sigma^2 + 1).</summary>
    VPrediction,

    /// <summary>The clean latents themselves: x0 = output.</summary>
    Sample,
}

/// <summary>How the inference timesteps are laid over the training ones (table 2 of arXiv 2305.08891).</summary>
public enum TimestepSpacing
{
    Linspace,
    Leading,
    Trailing,
}

/// <summary>A scheduler_config.json of EulerDiscreteScheduler or EulerAncestralDiscreteScheduler, validated.</summary>
/// <param name="Ancestral">Fresh noise is added in every step.</param>
/// <param name="TrainTimesteps">Number of training timesteps.</param>
/// <param name="BetaStart">First beta.</param>
/// <param name="BetaEnd">Last beta.</param>
/// <param name="ScaledLinear">The betas' square roots, not the betas, are evenly spaced.</param>
/// <param name="Prediction">What the U-Net's output means.</param>
/// <param name="Spacing">How timesteps are chosen.</param>
/// <param name="StepsOffset">Added to every timestep under leading spacing.</param>
/// <param name="EndsAtSigmaMin">The last sigma is the smallest training sigma instead of 0.</param>
public sealed record SchedulerConfig(
    bool Ancestral,
    int TrainTimesteps,
    double BetaStart,
    double BetaEnd,
    bool ScaledLinear,
    PredictionType Prediction,
    TimestepSpacing Spacing,
    int StepsOffset,
    bool EndsAtSigmaMin)
{
    private const string EulerAncestral = "EulerAncestralDiscreteScheduler";
    private const string Euler = "EulerDiscreteScheduler";

    /// <summary>Reads a configuration; absent keys take diffusers' defaults.</summary>
    /// <exception cref="ModelException">A key is malformed or asks for something not supported here.</exception>
    public static SchedulerConfig From(JsonConfig json)
    {
        foreach (var key in (string[])["trained_betas", "rescale_betas_zero_snr", "use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas"])
        {
            json.MustBeOff(key);
        }

        json.Choice("interpolation_type", "linear", "linear");
        json.Choice("timestep_type", "discrete", "discrete");
        var ancestral = json.Choice("_class_name", "", EulerAncestral, Euler) == EulerAncestral;
        var config = new SchedulerConfig(
            ancestral,
            json.Count("num_train_timesteps", 1000, least: 2),
            json.Number("beta_start", 0.0001),
            json.Number("beta_end", 0.02),
            json.Choice("beta_schedule", "linear", "linear", "scaled_linear") == "scaled_linear",
            ReadPrediction(json, ancestral),
            json.Choice("timestep_spacing", "linspace", "linspace", "leading", "trailing") switch
            {
                "leading" => TimestepSpacing.Leading,
                "trailing" => TimestepSpacing.Trailing,
                _ => TimestepSpacing.Linspace,
            },
            json.Count("steps_offset", 0, least: 0),
            !ancestral && json.Choice("final_sigmas_type", "zero", "zero", "sigma_min") == "sigma_min");
        return config.BetaStart is > 0 and < 1 && config.BetaEnd is > 0 and < 1
            ? config
            : throw json.Wrong("beta_start and beta_end", "between 0 and 1");
    }

    /// <summary>The scheduler for a run of <paramref name="steps"/> steps.</summary>
    /// <exception cref="ModelException">The number of steps is not between 1 and the number of training timesteps.</exception>
    public IScheduler For(int steps)
    {
        var schedule = new SigmaSchedule(this, steps);
        return Ancestral ? new EulerAncestralDiscreteScheduler(schedule) : new EulerDiscreteScheduler(schedule);
    }

    // Of the two, only the plain Euler scheduler takes "sample".
    private static PredictionType ReadPrediction(JsonConfig json, bool ancestral)
    {
        string[] allowed = ancestral ? ["epsilon", "v_prediction"] : ["epsilon", "v_prediction", "sample"];
        return json.Choice("prediction_type", "epsilon", allowed) switch
        {
            "v_prediction" => PredictionType.VPrediction,
            "sample" => PredictionType.Sample,
            _ => PredictionType.Epsilon,
        };
    }
}
