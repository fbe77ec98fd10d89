namespace SaeUnbox.Cli.Bench;

/// <summary>One line of a benchmark.</summary>
/// <param name="Part">What was timed.</param>
/// <param name="Seconds">Median of its runs.</param>
/// <param name="GigaOperations">Operations of its products, in 10^9.</param>
/// <param name="Share">Median, over the runs, of its rate as a share of the matrix product's rate right before and after it.</param>
internal sealed record Measurement(string Part, double Seconds, double GigaOperations, double? Share)
{
    /// <summary>10^9 operations a second.</summary>
    public double Rate => GigaOperations / Seconds;

    /// <summary>Of loading: the bytes of the weights in memory.</summary>
    public long? WeightBytes { get; init; }

    /// <summary>Of loading: the most bytes that the process grew by; null where the system does not tell.</summary>
    public long? PeakBytes { get; init; }
}
