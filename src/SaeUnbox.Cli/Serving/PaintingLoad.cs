namespace SaeUnbox.Cli.Serving;

/// <summary>How people paint, and what paints for them. Times are in milliseconds.</summary>
internal sealed record PaintingLoad
{
    public int Canvases { get; init; } = 1;

    /// <summary>Devices that each run one job at a time.</summary>
    public int Workers { get; init; } = 1;

    /// <summary>From one stroke of a moving brush to the next; 0: the next comes as soon as the last one's picture is there.</summary>
    public double StrokeEvery { get; init; } = 40;

    /// <summary>Mean length of a time of painting, and of the pause after it; both are drawn from an exponential distribution. Without a pause all paint all the time.</summary>
    public double Painting { get; init; } = 3000;

    public double Pausing { get; init; }

    /// <summary>Median and 95th percentile of the time a device takes for a painted edit: a log-normal distribution.</summary>
    public double Service { get; init; } = 60;

    public double ServiceP95 { get; init; } = 80;

    /// <summary>What comes to it on the way and keeps no device busy.</summary>
    public double Overhead { get; init; }

    public double Duration { get; init; } = 120_000;
}

/// <param name="JobsPerSecond">Pictures made, all canvases together.</param>
/// <param name="P50">Milliseconds from a stroke to the first picture that holds it.</param>
/// <param name="FramesPerSecond">Pictures a second that a canvas sees while it is painted on.</param>
/// <param name="Busy">Share of the time that devices work.</param>
internal sealed record ServingFigures(int Canvases, double JobsPerSecond, double P50, double P95, double P99, double FramesPerSecond, double Busy)
{
    /// <summary>Milliseconds of a job at the median that no device worked on it; null where it is not measured.</summary>
    public double? Beside { get; init; }

    public static ServingFigures Of(int canvases, List<double> latencies, int pictures, double seconds, double paintingSeconds, double busy)
    {
        latencies.Sort();
        return new(canvases, pictures / seconds, At(.5), At(.95), At(.99), paintingSeconds > 0 ? pictures / paintingSeconds : 0, busy);

        double At(double share) => Quantile(latencies, share);
    }

    /// <summary>Of sorted values; 0 where there are none.</summary>
    public static double Quantile(List<double> sorted, double share) => sorted.Count == 0 ? 0 : sorted[(int)(share * (sorted.Count - 1))];
}
