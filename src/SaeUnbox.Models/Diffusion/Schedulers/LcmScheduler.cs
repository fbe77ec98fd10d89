using static TorchSharp.torch;

namespace SaeUnbox.Models;

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
        // The timesteps of the distilled schedule, latest first, of which evenly spaced ones are taken.
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
