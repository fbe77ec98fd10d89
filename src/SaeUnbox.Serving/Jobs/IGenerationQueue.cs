namespace SaeUnbox.Serving;

/// <summary>Accepts jobs, and reports their progress.</summary>
public interface IGenerationQueue
{
    /// <summary>Submits a job. Completes when the job is accepted.</summary>
    /// <exception cref="QueueFullException">The queue is full.</exception>
    /// <exception cref="RecipeException">The recipe is invalid, or does not fit its model.</exception>
    ValueTask SubmitAsync(GenerationJob job, CancellationToken cancellationToken = default);

    /// <summary>
    /// Streams the reports on a job, from its current state to the final report. Ending the stream does not cancel the job.
    /// </summary>
    /// <exception cref="KeyNotFoundException">The job is unknown, or its result has expired.</exception>
    IAsyncEnumerable<GenerationProgress> WatchAsync(Guid jobId, CancellationToken cancellationToken = default);

    /// <summary>Cancels a waiting or running job. Does nothing if the job has ended.</summary>
    ValueTask CancelAsync(Guid jobId, CancellationToken cancellationToken = default);
}

/// <summary>The queue accepts no more jobs at the moment.</summary>
/// <param name="retryAfter">When to try again.</param>
/// <param name="reason">Null: too many jobs wait.</param>
public class QueueFullException(TimeSpan retryAfter, string? reason = null)
    : Exception(FormattableString.Invariant($"{reason ?? "the queue is full"}; try again in {Math.Ceiling(retryAfter.TotalSeconds)} s"))
{
    public TimeSpan RetryAfter { get; } = retryAfter;
}

/// <summary>The process takes no more jobs, because it is stopping.</summary>
public sealed class QueueStoppingException(TimeSpan retryAfter) : QueueFullException(retryAfter, "this server is shutting down");

/// <summary>A device with its models, which runs one job at a time. It does not depend on any queue.</summary>
public interface IJobExecutor
{
    /// <summary>For example cpu or cuda:0.</summary>
    string Device { get; }

    /// <summary>Why the device can run no more jobs, in one sentence; null while it can.</summary>
    string? Failure => null;

    /// <summary>Waits until the models are loaded, and returns them; none if loading failed.</summary>
    Task<IReadOnlyList<ModelInfo>> GetModelsAsync(CancellationToken cancellationToken = default);

    /// <param name="job">Must use one of the device's models.</param>
    /// <param name="report">Called for every step, on any thread.</param>
    /// <param name="cancellationToken">Stops the job between two stages.</param>
    /// <returns>The final report. An exception means that the device, not the job, is at fault, so another device may succeed.</returns>
    Task<GenerationProgress> RunAsync(GenerationJob job, Action<GenerationProgress.Running> report,
        CancellationToken cancellationToken = default);
}

/// <summary>Whether this process can make pictures.</summary>
public interface IServingState
{
    /// <summary>All models are loaded, and the process is not shutting down.</summary>
    bool IsReady { get; }

    /// <summary>The process can serve pages, although pictures may still have to wait for what <see cref="Missing"/> names.</summary>
    bool TakesVisitors => IsReady;

    bool IsStopping { get; }

    /// <summary>Why pictures cannot be made; null if they can.</summary>
    string? Failure { get; }

    /// <summary>A device failed for good after it had worked. Only restarting the program helps.</summary>
    bool IsBroken => false;

    /// <summary>What pictures wait for, apart from models that are loading, in one sentence; null for nothing.</summary>
    string? Missing => null;

    /// <summary>Completes when loading has ended, successfully or not.</summary>
    Task Loaded { get; }

    /// <summary>
    /// Refuses new jobs and waits for the accepted ones, up to the grace period. Call it while the server still answers, so that results
    /// reach those who wait.
    /// </summary>
    Task DrainAsync(CancellationToken cancellationToken = default) => Task.CompletedTask;
}

/// <summary>The workers that a web node knows of.</summary>
public interface IWorkerDirectory
{
    IReadOnlyList<WorkerInfo> Workers { get; }

    /// <summary>The distinct models of all workers, sorted by name.</summary>
    IReadOnlyList<ModelInfo> Models { get; }
}

/// <summary>A device that takes jobs.</summary>
/// <param name="Name">Unique among all workers.</param>
/// <param name="Device">For example cpu or cuda:0.</param>
/// <param name="Doing">The running job; null while idle.</param>
/// <param name="ServiceTime">Average duration of a job; null before the first.</param>
public sealed record WorkerInfo(string Name, string Device, IReadOnlyList<ModelInfo> Models, Guid? Doing, TimeSpan? ServiceTime);

/// <summary>Combines the states of a process's parts: models, worker, web node. The process is ready when all parts are.</summary>
public sealed class ServingParts(IEnumerable<IServingState> parts) : IServingState
{
    /// <summary>Service key under which each part registers its state.</summary>
    public const string Key = "part";

    private readonly IServingState[] _parts = [.. parts];

    public bool IsReady => _parts.All(part => part.IsReady);

    public bool TakesVisitors => _parts.All(part => part.TakesVisitors);

    public bool IsStopping => _parts.Any(part => part.IsStopping);

    public string? Failure => _parts.Select(part => part.Failure).FirstOrDefault(failure => failure is not null);

    public bool IsBroken => _parts.Any(part => part.IsBroken);

    public string? Missing => _parts.Select(part => part.Missing).FirstOrDefault(missing => missing is not null);

    public Task Loaded => Task.WhenAll(_parts.Select(part => part.Loaded));

    public Task DrainAsync(CancellationToken cancellationToken = default) =>
        Task.WhenAll(_parts.Select(part => part.DrainAsync(cancellationToken)));
}
