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

/// <summary>A device with its models, which does one job at a time. It knows of no queue.</summary>
public interface IJobExecutor
{
    /// <summary>Such as cpu or cuda:0.</summary>
    string Device { get; }

    /// <summary>Why it can do no more jobs, in one sentence; null while it can.</summary>
    string? Failure => null;

    /// <summary>The models it holds; ends once they are loaded, and with none where they could not be.</summary>
    Task<IReadOnlyList<ModelInfo>> GetModelsAsync(CancellationToken cancellationToken = default);

    /// <summary>Does a job.</summary>
    /// <param name="job">What to do; its model is one of the device's.</param>
    /// <param name="report">Told of every step, on any thread.</param>
    /// <param name="cancellationToken">Ends it between two stages.</param>
    /// <returns>The final report. An exception says that the device, not the job, is at fault: another may do better.</returns>
    Task<GenerationProgress> RunAsync(GenerationJob job, Action<GenerationProgress.Running> report, CancellationToken cancellationToken = default);
}

/// <summary>Whether pictures can be made.</summary>
public interface IServingState
{
    /// <summary>All models are loaded, and the process is not about to stop.</summary>
    bool IsReady { get; }

    /// <summary>Visitors may be sent here: all that this process needs of others can be reached, though pictures may still wait for what it tells of as <see cref="Missing"/>.</summary>
    bool TakesVisitors => IsReady;

    bool IsStopping { get; }

    /// <summary>Why pictures cannot be made; null where all is well.</summary>
    string? Failure { get; }

    /// <summary>A device worked and then broke: only a new start of the program helps.</summary>
    bool IsBroken => false;

    /// <summary>What pictures wait for beside models that load, in a sentence; null for nothing.</summary>
    string? Missing => null;

    /// <summary>Ends when loading has, well or not.</summary>
    Task Loaded { get; }
}

/// <summary>The workers that are there, as far as a web node knows.</summary>
public interface IWorkerDirectory
{
    IReadOnlyList<WorkerInfo> Workers { get; }

    /// <summary>The models that some worker holds, each once, in the order of their names.</summary>
    IReadOnlyList<ModelInfo> Models { get; }
}

/// <summary>A device that takes jobs.</summary>
/// <param name="Name">Names it among all.</param>
/// <param name="Device">Such as cpu or cuda:0.</param>
/// <param name="Models">The models it holds.</param>
/// <param name="Doing">The job it does; null while it waits for one.</param>
/// <param name="ServiceTime">How long its jobs take on average; null while it did none.</param>
public sealed record WorkerInfo(string Name, string Device, IReadOnlyList<ModelInfo> Models, Guid? Doing, TimeSpan? ServiceTime);

/// <summary>A process of several parts (models, a worker's or a web node's side of a broker) is ready when all of them are.</summary>
public sealed class ServingParts(IEnumerable<IServingState> parts) : IServingState
{
    /// <summary>The key under which each part registers its own state.</summary>
    public const string Key = "part";

    private readonly IServingState[] _parts = [.. parts];

    public bool IsReady => _parts.All(part => part.IsReady);

    public bool TakesVisitors => _parts.All(part => part.TakesVisitors);

    public bool IsStopping => _parts.Any(part => part.IsStopping);

    public string? Failure => _parts.Select(part => part.Failure).FirstOrDefault(failure => failure is not null);

    public bool IsBroken => _parts.Any(part => part.IsBroken);

    public string? Missing => _parts.Select(part => part.Missing).FirstOrDefault(missing => missing is not null);

    public Task Loaded => Task.WhenAll(_parts.Select(part => part.Loaded));
}
