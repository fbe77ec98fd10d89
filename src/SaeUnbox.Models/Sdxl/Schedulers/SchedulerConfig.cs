namespace SaeUnbox.Models;

/// <summary>What the U-Net predicts.</summary>
public enum PredictionType
{
    /// <summary>The noise: x0 = x - sigma * output.</summary>
    Epsilon,

    /// <summary>The velocity: x0 = x / (sigma^2 + 1) - output * sigma / sqrt(sigma^2 + 1).</summary>
    VPrediction,

    /// <summary>The clean latents: x0 = output.</summary>
    Sample,
}

/// <summary>How the timesteps of a run are spread over the training timesteps (arXiv 2305.08891, table 2).</summary>
public enum TimestepSpacing
{
    Linspace,
    Leading,
    Trailing,
}

/// <summary>The scheduler_config.json of an EulerDiscreteScheduler or EulerAncestralDiscreteScheduler.</summary>
/// <param name="Ancestral">Each step adds fresh noise.</param>
/// <param name="TrainTimesteps">Number of training timesteps.</param>
/// <param name="BetaStart">First beta.</param>
/// <param name="BetaEnd">Last beta.</param>
/// <param name="ScaledLinear">The square roots of the betas are evenly spaced; otherwise the betas are.</param>
/// <param name="Prediction">What the U-Net predicts.</param>
/// <param name="Spacing">How the timesteps are chosen.</param>
/// <param name="StepsOffset">Added to each timestep if the spacing is leading.</param>
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

    /// <summary>Reads a configuration. Missing keys get the defaults of diffusers.</summary>
    /// <exception cref="ModelException">A value is malformed or not supported.</exception>
    public static SchedulerConfig From(JsonConfig json)
    {
        string[] unsupported =
            ["trained_betas", "rescale_betas_zero_snr", "use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas"];
        foreach (var key in unsupported)
            json.MustBeOff(key);
        json.Choice("interpolation_type", "linear", "linear");
        json.Choice("timestep_type", "discrete", "discrete");
        var ancestral = json.Choice("_class_name", "", EulerAncestral, Euler) == EulerAncestral;
        var config = new SchedulerConfig(
            ancestral,
            json.Count("num_train_timesteps", 1000, min: 2),
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
            json.Count("steps_offset", 0, min: 0),
            !ancestral && json.Choice("final_sigmas_type", "zero", "zero", "sigma_min") == "sigma_min");
        return config.BetaStart is > 0 and < 1 && config.BetaEnd is > 0 and < 1
            ? config
            : throw json.Wrong("beta_start and beta_end", "between 0 and 1");
    }

    // diffusers allows "sample" only for the scheduler that is not ancestral.
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
