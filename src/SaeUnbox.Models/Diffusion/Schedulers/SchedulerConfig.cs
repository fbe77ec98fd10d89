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

/// <summary>The samplers that exist.</summary>
public enum SchedulerKind
{
    /// <summary>EulerDiscreteScheduler.</summary>
    Euler,

    /// <summary>EulerAncestralDiscreteScheduler.</summary>
    EulerAncestral,

    /// <summary>LCMScheduler.</summary>
    Lcm,

    /// <summary>DDIMScheduler.</summary>
    Ddim,

    /// <summary>PNDMScheduler.</summary>
    Pndm,
}

/// <summary>The scheduler_config.json of one of the samplers.</summary>
/// <param name="Kind">The sampler.</param>
/// <param name="TrainTimesteps">Number of training timesteps.</param>
/// <param name="BetaStart">First beta.</param>
/// <param name="BetaEnd">Last beta.</param>
/// <param name="ScaledLinear">The square roots of the betas are evenly spaced; otherwise the betas are.</param>
/// <param name="Prediction">What the U-Net predicts.</param>
/// <param name="Spacing">How the timesteps are chosen. LCM has a spacing of its own.</param>
/// <param name="StepsOffset">Added to each timestep if the spacing is leading.</param>
/// <param name="EndsAtSigmaMin">The last sigma is the smallest training sigma instead of 0.</param>
public sealed record SchedulerConfig(
    SchedulerKind Kind,
    int TrainTimesteps,
    double BetaStart,
    double BetaEnd,
    bool ScaledLinear,
    PredictionType Prediction,
    TimestepSpacing Spacing,
    int StepsOffset,
    bool EndsAtSigmaMin)
{
    private static readonly Dictionary<string, SchedulerKind> Kinds = new()
    {
        ["EulerDiscreteScheduler"] = SchedulerKind.Euler,
        ["EulerAncestralDiscreteScheduler"] = SchedulerKind.EulerAncestral,
        ["LCMScheduler"] = SchedulerKind.Lcm,
        ["DDIMScheduler"] = SchedulerKind.Ddim,
        ["PNDMScheduler"] = SchedulerKind.Pndm,
    };

    /// <summary>Each step adds fresh noise.</summary>
    public bool Ancestral => Kind == SchedulerKind.EulerAncestral;

    /// <summary>The last training timestep is pure noise (rescale_betas_zero_snr; arXiv 2305.08891, algorithm 1).</summary>
    public bool ZeroSnr { get; init; }

    /// <summary>Noise levels are those of arXiv 2206.00364, equation 5 (use_karras_sigmas). Only for Euler.</summary>
    public bool Karras { get; init; }

    /// <summary>First noise level of <see cref="Karras"/>; null for that of the first timestep.</summary>
    public double? SigmaMax { get; init; }

    /// <summary>Last noise level of <see cref="Karras"/>; null for that of the last timestep.</summary>
    public double? SigmaMin { get; init; }

    /// <summary>Steps of the schedule that LCM was distilled with (original_inference_steps).</summary>
    public int OriginalSteps { get; init; } = 50;

    /// <summary>Factor of the timestep in LCM's boundary condition.</summary>
    public double TimestepScaling { get; init; } = 10;

    /// <summary>LCM and DDIM clamp clean latents to this distance from 0; null for no limit (clip_sample, clip_sample_range).</summary>
    public double? ClipRange { get; init; }

    /// <summary>The last step of DDIM and PNDM leads to latents without noise instead of timestep 0 (set_alpha_to_one).</summary>
    public bool EndsClean { get; init; }

    /// <summary>
    /// Reads a configuration. Missing keys get the defaults of diffusers, and keys of other samplers are ignored as there.
    /// </summary>
    /// <exception cref="ModelException">A value is malformed or not supported.</exception>
    public static SchedulerConfig From(JsonConfig json)
    {
        var kind = ReadKind(json);
        var isLcm = kind == SchedulerKind.Lcm;
        string[] unsupported = kind switch
        {
            SchedulerKind.Euler => ["trained_betas", "use_exponential_sigmas", "use_beta_sigmas"],
            SchedulerKind.EulerAncestral => ["trained_betas"],
            SchedulerKind.Pndm => ["trained_betas"],
            _ => ["trained_betas", "thresholding"],
        };
        foreach (var key in unsupported)
            json.MustBeOff(key);
        if (kind == SchedulerKind.Euler)
        {
            json.Choice("interpolation_type", "linear", "linear");
            json.Choice("timestep_type", "discrete", "discrete");
        }
        if (kind == SchedulerKind.Pndm && !json.Flag("skip_prk_steps", false))
            throw json.Wrong("skip_prk_steps", "true; Runge-Kutta steps are not supported");
        var trainTimesteps = json.Count("num_train_timesteps", 1000, min: 2);
        var config = new SchedulerConfig(
            kind,
            trainTimesteps,
            json.Number("beta_start", isLcm ? .00085 : .0001),
            json.Number("beta_end", isLcm ? .012 : .02),
            json.Choice("beta_schedule", isLcm ? "scaled_linear" : "linear", "linear", "scaled_linear") == "scaled_linear",
            ReadPrediction(json, kind),
            json.Choice("timestep_spacing", kind is SchedulerKind.Euler or SchedulerKind.EulerAncestral ? "linspace" : "leading",
                "linspace", "leading", "trailing") switch
            {
                "leading" => TimestepSpacing.Leading,
                "trailing" => TimestepSpacing.Trailing,
                _ => TimestepSpacing.Linspace,
            },
            json.Count("steps_offset", 0, min: 0),
            kind == SchedulerKind.Euler && json.Choice("final_sigmas_type", "zero", "zero", "sigma_min") == "sigma_min")
        {
            ZeroSnr = kind != SchedulerKind.Pndm && json.Flag("rescale_betas_zero_snr", false),
            Karras = kind == SchedulerKind.Euler && json.Flag("use_karras_sigmas", false),
            SigmaMax = Level(json, "sigma_max"),
            SigmaMin = Level(json, "sigma_min"),
            OriginalSteps = isLcm ? json.Count("original_inference_steps", 50, max: trainTimesteps) : 50,
            TimestepScaling = isLcm && json.Number("timestep_scaling", 10) is var scaling
                ? scaling > 0 ? scaling : throw json.Wrong("timestep_scaling", "above 0") : 10,
            ClipRange = kind is SchedulerKind.Lcm or SchedulerKind.Ddim && json.Flag("clip_sample", !isLcm)
                ? json.Number("clip_sample_range", 1) : null,
            EndsClean = json.Flag("set_alpha_to_one", kind != SchedulerKind.Pndm),
        };
        if (kind is SchedulerKind.Lcm or SchedulerKind.Ddim && config is { ZeroSnr: true, Prediction: PredictionType.Epsilon })
            throw json.Wrong("rescale_betas_zero_snr",
                $"false where {json.Text("_class_name")} predicts epsilon, because its first timestep is pure noise");
        return config.BetaStart is > 0 and < 1 && config.BetaEnd is > 0 and < 1
            ? config
            : throw json.Wrong("beta_start and beta_end", "between 0 and 1");
    }

    private static double? Level(JsonConfig json, string key) => json.Find(key) is null
        ? null : json.Number(key) is var level and > 0 ? level : throw json.Wrong(key, "above 0");

    private static SchedulerKind ReadKind(JsonConfig json)
    {
        const string key = "_class_name";
        var name = json.Text(key, "");
        return Kinds.TryGetValue(name, out var kind) ? kind : throw json.Wrong(key, $"one of {string.Join(", ", Kinds.Keys)}, but is "
            + $"\"{name}\", which is not supported; name a folder whose scheduler_config.json has one of them (--scheduler DIR)");
    }

    // diffusers allows "sample" for some of the schedulers only.
    private static PredictionType ReadPrediction(JsonConfig json, SchedulerKind kind)
    {
        string[] allowed = kind is SchedulerKind.EulerAncestral or SchedulerKind.Pndm
            ? ["epsilon", "v_prediction"]
            : ["epsilon", "v_prediction", "sample"];
        return json.Choice("prediction_type", "epsilon", allowed) switch
        {
            "v_prediction" => PredictionType.VPrediction,
            "sample" => PredictionType.Sample,
            _ => PredictionType.Epsilon,
        };
    }
}
