namespace SaeUnbox.Cli.Serving;

/// <summary>How users paint, and how fast the devices are. Times are in milliseconds.</summary>
internal sealed record PaintingLoad
{
    public int Canvases { get; init; } = 1;

    /// <summary>Number of devices. Each runs one job at a time.</summary>
    public int Workers { get; init; } = 1;

    /// <summary>Time between strokes of a moving brush. 0: the next stroke follows as soon as the last one's picture arrives.</summary>
    public double StrokeEvery { get; init; } = 40;

    /// <summary>Mean length of a period of painting (exponential distribution).</summary>
    public double Painting { get; init; } = 3000;

    /// <summary>Mean length of the pause between periods of painting (exponential distribution). 0: users paint without pauses.</summary>
    public double Pausing { get; init; }

    /// <summary>Median time that a device takes for an edit (log-normal distribution).</summary>
    public double Service { get; init; } = 60;

    /// <summary>95th percentile of the time that a device takes for an edit.</summary>
    public double ServiceP95 { get; init; } = 80;

    /// <summary>Additional time per picture outside the device: network, broker, browser.</summary>
    public double Overhead { get; init; }

    public double Duration { get; init; } = 120_000;
}

/// <param name="JobsPerSecond">Pictures per second on all canvases together.</param>
/// <param name="P50">Median time from a stroke to the first picture that shows it, in milliseconds.</param>
/// <param name="FramesPerSecond">Pictures per second on a canvas while it is painted on.</param>
/// <param name="Busy">Fraction of the time that devices are busy.</param>
internal sealed record ServingFigures(int Canvases, double JobsPerSecond, double P50, double P95, double P99, double FramesPerSecond, double Busy)
{
    /// <summary>Median time of a job outside the device, in milliseconds; null if not measured.</summary>
    public double? Beside { get; init; }

    public static ServingFigures Of(int canvases, List<double> latencies, int pictures, double seconds, double paintingSeconds, double busy)
    {
        latencies.Sort();
        return new(canvases, pictures / seconds, At(.5), At(.95), At(.99), paintingSeconds > 0 ? pictures / paintingSeconds : 0, busy);

        double At(double share) => Quantile(latencies, share);
    }

    /// <param name="sorted">Ascending. The quantile of an empty list is 0.</param>
    public static double Quantile(List<double> sorted, double share) => sorted.Count == 0 ? 0 : sorted[(int)(share * (sorted.Count - 1))];
}
