namespace SaeUnbox.Serving;

/// <summary>The way from those who want pictures to those who make them.</summary>
public interface IGenerationQueue
{
    /// <summary>Hands over a job; returns once it is accepted.</summary>
    /// <exception cref="QueueFullException">The queue is full.</exception>
    /// <exception cref="RecipeException">The recipe is not valid, or does not fit its model.</exception>
    ValueTask SubmitAsync(GenerationJob job, CancellationToken cancellationToken = default);

    /// <summary>
    /// The reports on an accepted job, from its present state on, up to and with the final one. To stop watching does not cancel
    /// the job.
    /// </summary>
    /// <exception cref="KeyNotFoundException">No such job is known (any more).</exception>
    IAsyncEnumerable<GenerationProgress> WatchAsync(Guid jobId, CancellationToken cancellationToken = default);

    /// <summary>Cancels a job that waits or runs; nothing happens where it has ended.</summary>
    ValueTask CancelAsync(Guid jobId, CancellationToken cancellationToken = default);
}

/// <summary>The queue takes no more jobs for now.</summary>
/// <param name="retryAfter">When to try again.</param>
/// <param name="because">Why, where it is not that too many jobs wait.</param>
public sealed class QueueFullException(TimeSpan retryAfter, string? because = null)
    : Exception(FormattableString.Invariant($"{because ?? "the queue is full"}; try again in {Math.Ceiling(retryAfter.TotalSeconds)} s"))
{
    public TimeSpan RetryAfter { get; } = retryAfter;
}
