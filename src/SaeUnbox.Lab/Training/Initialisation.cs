using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>The initial weights of an autoencoder, and the scale of its loss.</summary>
public static class Initialisation
{
    private const int CentreSample = 32768;

    /// <summary>
    /// An autoencoder with random tied weights: the encoder is uniform in +-1/sqrt(d), the directions are its rows at unit length, and
    /// b_pre is the geometric median of the first 32,768 vectors of the sample.
    /// </summary>
    /// <param name="sample">[p, d].</param>
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
    /// 1 / mean squared distance of the sample [p, d] from the means of its channels. It makes the losses of different sites comparable.
    /// </summary>
    /// <exception cref="SaeException">All vectors are equal.</exception>
    public static double MseScale(Tensor sample)
    {
        using var scope = NewDisposeScope();
        var values = sample.to(ScalarType.Float32);
        var difference = values.mean([0]) - values;
        var spread = difference.mul_(difference).mean().item<float>();
        return spread > 0
            ? (float)(1 / spread)
            : throw new SaeException("All vectors of the sample are equal, so that there is nothing to learn.");
    }
}

/// <summary>The point with the smallest sum of distances to all points, by Weiszfeld's iteration (Tôhoku Math. J. 43, 1937).</summary>
public static class GeometricMedian
{
    private const double SmallestDistance = 1e-6;
    private const double Tolerance = 1e-20;

    /// <summary>Starts at the mean, and stops when the sum of distances no longer changes, or after <paramref
    /// name="iterations"/>.</summary>
    /// <param name="points">[p, d] float32.</param>
    /// <returns>[d].</returns>
    public static Tensor Of(Tensor points, int iterations = 100)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        // Subtracting the mean first keeps precision if the mean is large.
        var mean = points.mean([0]);
        var centred = points - mean;
        var median = zeros_like(mean);
        var distances = Distances(centred, median);
        var objective = distances.sum().item<float>();
        for (var i = 0; i < iterations; i++)
        {
            using var iteration = NewDisposeScope();
            var weights = distances.AtLeast(SmallestDistance).reciprocal();
            weights = weights / weights.sum();
            median = Weighted(centred, weights).MoveToOuterDisposeScope();
            var previous = objective;
            distances = Distances(centred, median).MoveToOuterDisposeScope();
            objective = distances.sum().item<float>();
            if (Math.Abs(previous - objective) <= Tolerance * objective)
                break;
        }

        return mean.Plus(median).MoveToOuterDisposeScope();
    }

    // Each frees its matrix of the points' size at once.
    private static Tensor Weighted(Tensor points, Tensor weights)
    {
        using var scope = NewDisposeScope();
        return (points * weights.view(-1, 1)).sum([0]).MoveToOuterDisposeScope();
    }

    private static Tensor Distances(Tensor points, Tensor centre)
    {
        using var scope = NewDisposeScope();
        var difference = points - centre;
        return difference.mul_(difference).sum(1).sqrt().MoveToOuterDisposeScope();
    }
}
