using static TorchSharp.torch;

namespace SaeUnbox.Models;

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
