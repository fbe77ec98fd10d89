namespace SaeUnbox.Mini.Training;

/// <summary>Linear warm-up, then a cosine down to a small rest.</summary>
internal static class LearningRate
{
    public static double At(int step, int steps, int warmUp, double peak, double rest = .02)
    {
        var warm = Math.Min(1, (step + 1.0) / Math.Max(1, warmUp));
        var fall = .5 * (1 + Math.Cos(Math.PI * Math.Min(1, (double)step / steps)));
        return peak * warm * (fall * (1 - rest) + rest);
    }
}
