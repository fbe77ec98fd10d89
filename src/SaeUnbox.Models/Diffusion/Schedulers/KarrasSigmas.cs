namespace SaeUnbox.Models;

/// <summary>The noise levels of arXiv 2206.00364, equation 5, which are dense where noise is low.</summary>
internal static class KarrasSigmas
{
    private const double Rho = 7;

    /// <summary>(max^(1/7) + i / (n - 1) * (min^(1/7) - max^(1/7)))^7 for i from 0 to n - 1.</summary>
    public static double[] Between(double max, double min, int count)
    {
        var (first, last) = (Math.Pow(max, 1 / Rho), Math.Pow(min, 1 / Rho));
        return [.. Enumerable.Range(0, count)
            .Select(i => Math.Pow(first + (count == 1 ? 0 : (double)i / (count - 1)) * (last - first), Rho))];
    }

    /// <summary>The timestep at which training has this noise level, by interpolation between logarithms.</summary>
    /// <param name="sigma">A noise level above 0.</param>
    /// <param name="training">The noise levels of the training timesteps, in ascending order.</param>
    public static double TimestepOf(double sigma, float[] training)
    {
        var low = Math.Clamp(Array.FindLastIndex(training, level => Math.Log(level) <= Math.Log(sigma)), 0, training.Length - 2);
        var (below, above) = (Math.Log(training[low]), Math.Log(training[low + 1]));
        return low + Math.Clamp((Math.Log(sigma) - below) / (above - below), 0, 1);
    }
}
