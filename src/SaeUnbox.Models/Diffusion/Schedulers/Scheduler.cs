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

/// <summary>
/// The Euler sampler: deterministic along the probability-flow ODE (arXiv 2206.00364, algorithm 2 without churn), or ancestral, which adds
/// fresh noise after each step. The noise levels are those of a variance-preserving training schedule: sigma_t = sqrt((1 - a_t) / a_t),
/// where a_t is the cumulative product of 1 - beta; or, between the first and the last of them, those of arXiv 2206.00364, equation 5.
/// </summary>
public sealed class EulerScheduler : Scheduler
{
    private readonly PredictionType _prediction;
    private readonly bool _ancestral;
    private readonly float[] _timesteps;

    /// <exception cref="ModelException">The number of steps is not between 1 and the number of training timesteps.</exception>
    public EulerScheduler(SchedulerConfig config, int steps)
    {
        RequireSteps(steps, config.TrainTimesteps);
        (_prediction, _ancestral) = (config.Prediction, config.Ancestral);
        _timesteps = Array.ConvertAll(NoiseSchedule.Timesteps(config, steps), t => (float)t);
        var training = NoiseSchedule.Sigmas(config);
        var sigmas = _timesteps.Select(t => NoiseSchedule.Interpolate(training, t)).ToArray();
        if (config.Karras)
        {
            sigmas = KarrasSigmas.Between(config.SigmaMax ?? sigmas[0], config.SigmaMin ?? sigmas[^1], steps);
            _timesteps = [.. sigmas.Select(sigma => (float)KarrasSigmas.TimestepOf(sigma, training))];
        }
        Sigmas = [.. sigmas.Select(sigma => (float)sigma), config.EndsAtSigmaMin ? training[0] : 0f];
        var largest = Sigmas.Max();
        InitialNoiseSigma = config.Spacing == TimestepSpacing.Leading ? MathF.Sqrt(largest * largest + 1f) : largest;
    }

    public override IReadOnlyList<float> Timesteps => _timesteps;

    /// <summary>The noise level before each step, then the one after the last step.</summary>
    public IReadOnlyList<float> Sigmas { get; }

    public override float InitialNoiseSigma { get; }

    public override bool DrawsNoise(int step) => _ancestral;

    /// <summary>The input of the U-Net: latents / sqrt(sigma^2 + 1), in the type of the latents.</summary>
    public override Tensor ScaleInput(Tensor latents, int step) => latents.Over(MathF.Sqrt(Sigmas[step] * Sigmas[step] + 1f));

    /// <summary>
    /// x + (x - x0) / sigma * (target - sigma), in float32. The target is the next noise level. The ancestral sampler aims below it and
    /// adds noise instead: up^2 = next^2 (sigma^2 - next^2) / sigma^2, target^2 = next^2 - up^2.
    /// </summary>
    /// <inheritdoc/>
    public override Tensor Step(Tensor modelOutput, int step, Tensor latents, Tensor? noise)
    {
        if (_ancestral)
            ArgumentNullException.ThrowIfNull(noise);
        using var scope = NewDisposeScope();
        var (sigma, next) = (Sigmas[step], Sigmas[step + 1]);
        var up = _ancestral ? MathF.Sqrt(next * next * (sigma * sigma - next * next) / (sigma * sigma)) : 0;
        var target = _ancestral ? MathF.Sqrt(next * next - up * up) : next;
        var x = latents.to_type(ScalarType.Float32);
        var denoised = Denoise(x, modelOutput.to_type(ScalarType.Float32), sigma);
        var moved = x.Plus((x - denoised).Over(sigma).Times(target - sigma));
        if (_ancestral)
            moved = moved.Plus(noise!.to_type(ScalarType.Float32).Times(up));
        return moved.to_type(modelOutput.dtype).MoveToOuterDisposeScope();
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
}

/// <summary>The deterministic sampler of arXiv 2010.02502 (equation 12 with sigma 0).</summary>
public sealed class DdimScheduler : Scheduler
{
    private readonly SchedulerConfig _config;
    private readonly float[] _alphas;
    private readonly int[] _timesteps;

    /// <exception cref="ModelException">The training timesteps do not hold this number of steps.</exception>
    public DdimScheduler(SchedulerConfig config, int steps)
    {
        RequireSteps(steps, config.TrainTimesteps);
        (_config, _alphas) = (config, NoiseSchedule.CumulativeAlphas(config));
        _timesteps = NoiseSchedule.WholeTimesteps(config, steps);
        Timesteps = Array.ConvertAll(_timesteps, t => (float)t);
    }

    public override IReadOnlyList<float> Timesteps { get; }

    /// <summary>
    /// sqrt(a') clean + sqrt(1 - a') noise, with a' of the timestep that lies one stride of training / steps below this one.
    /// </summary>
    /// <inheritdoc/>
    public override Tensor Step(Tensor modelOutput, int step, Tensor latents, Tensor? noise)
    {
        using var scope = NewDisposeScope();
        var next = NoiseSchedule.AlphaAfter(_config, _alphas, _timesteps[step] - _config.TrainTimesteps / _timesteps.Length);
        var (clean, rest) = Separate(_config.Prediction, latents.to_type(ScalarType.Float32), modelOutput.to_type(ScalarType.Float32),
            _alphas[_timesteps[step]]);
        if (_config.ClipRange is { } range)
            clean = clean.Between(-range, range);
        return clean.Times(Math.Sqrt(next)).Plus(rest.Times(Math.Sqrt(1 - next)))
            .to_type(modelOutput.dtype).MoveToOuterDisposeScope();
    }
}

/// <summary>
/// The multistep sampler of latent consistency models (arXiv 2310.04378, algorithm 3): each step predicts the clean latents, blends them
/// with its input by the boundary condition, and adds noise for the next timestep. The last step adds none.
/// </summary>
public sealed class LcmScheduler : Scheduler
{
    // Standard deviation of the data in the boundary condition.
    private const double DataSigma = .5;

    private readonly SchedulerConfig _config;
    private readonly int[] _timesteps;
    private readonly float[] _alphas;

    /// <exception cref="ModelException">The number of steps is not between 1 and original_inference_steps.</exception>
    public LcmScheduler(SchedulerConfig config, int steps)
    {
        var original = config.OriginalSteps;
        RequireSteps(steps, original, ", the original_inference_steps of its LCMScheduler");
        (_config, _alphas) = (config, NoiseSchedule.CumulativeAlphas(config));
        // Evenly spaced timesteps of the distilled schedule, latest first.
        var stride = config.TrainTimesteps / original;
        _timesteps = [.. Enumerable.Range(0, steps).Select(i => (original - (int)(i * ((double)original / steps))) * stride - 1)];
        Timesteps = Array.ConvertAll(_timesteps, t => (float)t);
    }

    public override IReadOnlyList<float> Timesteps { get; }

    public override bool DrawsNoise(int step) => step < _timesteps.Length - 1;

    /// <summary>
    /// y = c_out x0 + c_skip x, with c_skip = s^2 / (u^2 + s^2), c_out = u / sqrt(u^2 + s^2), s = 0.5 and u = timestep_scaling * t. After
    /// the last step the latents are y, before sqrt(a) y + sqrt(1 - a) noise with the a of the next timestep.
    /// </summary>
    /// <inheritdoc/>
    public override Tensor Step(Tensor modelOutput, int step, Tensor latents, Tensor? noise)
    {
        using var scope = NewDisposeScope();
        var scaled = _timesteps[step] * _config.TimestepScaling;
        var total = scaled * scaled + DataSigma * DataSigma;
        var x = latents.to_type(ScalarType.Float32);
        var (clean, _) = Separate(_config.Prediction, x, modelOutput.to_type(ScalarType.Float32), _alphas[_timesteps[step]]);
        if (_config.ClipRange is { } range)
            clean = clean.Between(-range, range);
        var result = clean.Times(scaled / Math.Sqrt(total)).Plus(x.Times(DataSigma * DataSigma / total));
        if (DrawsNoise(step))
        {
            ArgumentNullException.ThrowIfNull(noise);
            double next = _alphas[_timesteps[step + 1]];
            result = result.Times(Math.Sqrt(next)).Plus(noise.to_type(ScalarType.Float32).Times(Math.Sqrt(1 - next)));
        }
        return result.to_type(modelOutput.dtype).MoveToOuterDisposeScope();
    }
}

/// <summary>
/// The pseudo linear multistep sampler of arXiv 2202.09778 in the form of Stable Diffusion (skip_prk_steps): a step combines its prediction
/// with up to three earlier ones. The first step has none, so it predicts twice and takes the mean.
/// </summary>
public sealed class PndmScheduler : Scheduler
{
    // Weights of the predictions, the latest first (Adams-Bashforth).
    private static readonly double[][] Weights =
    [
        [1], [3 / 2d, -1 / 2d], [23 / 12d, -16 / 12d, 5 / 12d], [55 / 24d, -59 / 24d, 37 / 24d, -9 / 24d],
    ];

    private readonly SchedulerConfig _config;
    private readonly float[] _alphas;
    private readonly int[] _timesteps;
    private readonly int _stride;

    /// <exception cref="ModelException">The training timesteps do not hold this number of steps.</exception>
    public PndmScheduler(SchedulerConfig config, int steps)
    {
        RequireSteps(steps, config.TrainTimesteps);
        (_config, _alphas) = (config, NoiseSchedule.CumulativeAlphas(config));
        (_timesteps, _stride) = (NoiseSchedule.WholeTimesteps(config, steps), config.TrainTimesteps / steps);
        Timesteps = Array.ConvertAll(_timesteps, t => (float)t);
    }

    public override IReadOnlyList<float> Timesteps { get; }

    public override bool Corrects(int step) => step == 0 && _timesteps.Length > 1;

    public override Tensor Step(Tensor modelOutput, int step, Tensor latents, Tensor? noise)
    {
        using var scope = NewDisposeScope();
        var x = LatentsOf(latents);
        Tensor[] predictions = [modelOutput, .. Stacked(latents)];
        var mixed = Weights[predictions.Length - 1].Zip(predictions, (weight, one) => one.to_type(ScalarType.Float32).Times(weight))
            .Aggregate((sum, part) => sum.Plus(part));
        var moved = Move(x, mixed, _timesteps[step], _timesteps[step] - _stride).to_type(modelOutput.dtype);
        if (step == _timesteps.Length - 1)
            return moved.MoveToOuterDisposeScope();
        Tensor[] kept = Corrects(step) ? [moved, modelOutput, x] : [moved, .. predictions.Take(Weights.Length - 1)];
        return stack(kept).MoveToOuterDisposeScope();
    }

    public override Tensor Correct(Tensor modelOutput, int step, Tensor latents)
    {
        using var scope = NewDisposeScope();
        var (prediction, start) = (latents[1], latents[2]);
        var mean = prediction.to_type(ScalarType.Float32).Plus(modelOutput.to_type(ScalarType.Float32)).Over(2);
        var moved = Move(start, mean, _timesteps[1] + _stride, _timesteps[1]).to_type(modelOutput.dtype);
        return stack([moved, prediction]).MoveToOuterDisposeScope();
    }

    private static IEnumerable<Tensor> Stacked(Tensor latents) =>
        latents.dim() > 4 ? Enumerable.Range(1, (int)latents.shape[0] - 1).Select(i => latents[i]) : [];

    /// <summary>Equation 9 there: sqrt(a'/a) x - (a' - a) noise / (sqrt(a) (sqrt((1 - a') a) + sqrt((1 - a) a'))).</summary>
    private Tensor Move(Tensor latents, Tensor output, int timestep, int next)
    {
        double alpha = _alphas[timestep], after = NoiseSchedule.AlphaAfter(_config, _alphas, next);
        var x = latents.to_type(ScalarType.Float32);
        var (_, noise) = Separate(_config.Prediction, x, output, alpha);
        var divisor = alpha * Math.Sqrt(1 - after) + Math.Sqrt(alpha * (1 - alpha) * after);
        return x.Times(Math.Sqrt(after / alpha)) - noise.Times((after - alpha) / divisor);
    }
}
