using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Lab;

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
