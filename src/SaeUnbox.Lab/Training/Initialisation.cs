using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>The start of training: random tied weights, the data's centre, and the scale of the loss.</summary>
public static class Initialisation
{
    /// <summary>The sample's vectors the centre is taken from.</summary>
    private const int CentreSample = 32768;

    /// <summary>
    /// A fresh autoencoder: encoder uniform in +-1/sqrt(d), directions the encoder's rows at unit length,
    /// b_pre the geometric median of the sample's first 32768 vectors.
    /// </summary>
    public static SparseAutoencoder Create(TrainingOptions options, Tensor sample, ulong seed)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var width = (int)sample.shape[1];
        var config = options.ToConfig(width);
        using var generator = new Generator(seed);
        var bound = 1 / Math.Sqrt(width);
        var encoder = rand([config.Features, width], dtype: ScalarType.Float32, generator: generator).Times(2 * bound).Minus(bound);
        var dictionary = encoder / (encoder * encoder).sum(1).sqrt().unsqueeze(1);
        var device = sample.device;
        var centre = GeometricMedian.Of(sample.narrow(0, 0, Math.Min(CentreSample, sample.shape[0])).to(ScalarType.Float32));
        return new SparseAutoencoder(
            config,
            encoder.to(device).DetachFromDisposeScope(),
            dictionary.to(device).DetachFromDisposeScope(),
            centre.DetachFromDisposeScope(),
            zeros([config.Features], dtype: ScalarType.Float32, device: device).DetachFromDisposeScope(),
            zeros([config.Features], dtype: ScalarType.Int64, device: device).DetachFromDisposeScope());
    }

    /// <summary>
    /// 1 / mean squared distance of the sample's values from their channel's mean: makes losses comparable between sites.
    /// </summary>
    public static double MseScale(Tensor sample)
    {
        using var scope = NewDisposeScope();
        var values = sample.to(ScalarType.Float32);
        var difference = values.mean([0]) - values;
        var spread = (difference * difference).mean().item<float>();
        return spread > 0
            ? (float)(1 / spread)
            : throw new SaeException("The sample's vectors are all equal: nothing can be learned from them.");
    }
}

/// <summary>The point of least summed distance to all points, by Weiszfeld's iteration (Tôhoku Math. J. 43, 1937).</summary>
public static class GeometricMedian
{
    private const double SmallestDistance = 1e-6;
    private const double Tolerance = 1e-20;

    /// <summary>Starts at the mean and stops where the objective repeats, at the latest after <paramref name="iterations"/>.</summary>
    /// <param name="points">[p, d] float32.</param>
    /// <returns>[d].</returns>
    public static Tensor Of(Tensor points, int iterations = 100)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        // Taken about the mean: in a weighted sum of the points themselves a large mean would cost the digits of the spread.
        var mean = points.mean([0]);
        var centred = points - mean;
        var median = zeros_like(mean);
        var objective = Distances(centred, median).sum().item<float>();
        for (var i = 0; i < iterations; i++)
        {
            using var iteration = NewDisposeScope();
            var weights = Distances(centred, median).AtLeast(SmallestDistance).reciprocal();
            weights = weights / weights.sum();
            median = (centred * weights.view(-1, 1)).sum([0]).MoveToOuterDisposeScope();
            var previous = objective;
            objective = Distances(centred, median).sum().item<float>();
            if (Math.Abs(previous - objective) <= Tolerance * objective)
                break;
        }

        return mean.Plus(median).MoveToOuterDisposeScope();
    }

    private static Tensor Distances(Tensor points, Tensor centre)
    {
        var difference = points - centre;
        return (difference * difference).sum(1).sqrt();
    }
}
