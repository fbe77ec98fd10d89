using static TorchSharp.torch;

namespace SaeUnbox.Models;

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
