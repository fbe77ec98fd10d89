using static TorchSharp.torch;

namespace SaeUnbox.Models;

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
