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

/// <summary>A recipe to run, and the results wanted.</summary>
/// <param name="Id">A job submitted twice under the same id runs once.</param>
public sealed record GenerationJob(Guid Id, CheckedRecipe Checked)
{
    public Recipe Recipe => Checked.Recipe;

    /// <summary>
    /// The canvas that the picture is for; null for a batch job. A canvas has one running job at a time, and a newer job supersedes a
    /// waiting one.
    /// </summary>
    public string? Canvas { get; init; }

    /// <summary>Who submitted the job. Clients take turns; null counts as a client of its own for each canvas.</summary>
    public string? Client { get; init; }

    /// <summary>Whose turn the job needs.</summary>
    public string Turn => Client ?? Canvas ?? "";

    /// <summary>The work of the job, in default pictures of its model (<see cref="ModelInfo.CostOf"/>).</summary>
    public double Cost { get; init; } = 1;

    /// <summary>Null for activations only.</summary>
    public PictureFormat? Picture { get; init; } = PictureFormat.Png;

    /// <summary>The sites whose activations are returned.</summary>
    public ValueList<Site> Sites { get; init; } = [];
}

public enum PictureFormat
{
    Png,
    Jpeg,
    WebP,
}

/// <summary>A progress report on a job. The last one is final.</summary>
public abstract record GenerationProgress
{
    private GenerationProgress(Guid jobId, bool isFinal)
    {
        JobId = jobId;
        IsFinal = isFinal;
    }

    public Guid JobId { get; }

    public bool IsFinal { get; }

    /// <param name="Position">Number of jobs ahead.</param>
    /// <param name="Expected">Expected wait; null if no job has been measured yet.</param>
    public sealed record Waiting(Guid JobId, int Position, TimeSpan? Expected) : GenerationProgress(JobId, isFinal: false);

    /// <param name="Step">Denoising steps done.</param>
    /// <param name="Steps">Denoising steps in total.</param>
    public sealed record Running(Guid JobId, int Step, int Steps) : GenerationProgress(JobId, isFinal: false);

    public sealed record Completed(GenerationResult Result) : GenerationProgress(Result.JobId, isFinal: true);

    /// <param name="Message">One sentence for the user.</param>
    public sealed record Failed(Guid JobId, string Message) : GenerationProgress(JobId, isFinal: true);

    /// <summary>A newer job of the same canvas replaced this one.</summary>
    public sealed record Superseded(Guid JobId) : GenerationProgress(JobId, isFinal: true);

    public sealed record Cancelled(Guid JobId) : GenerationProgress(JobId, isFinal: true);
}

/// <summary>The results of a job.</summary>
/// <param name="Picture">The encoded picture; empty if none was requested.</param>
/// <param name="Maps">Activations of the requested sites.</param>
/// <param name="Timings">Duration of each stage, in order.</param>
public sealed record GenerationResult(
    Guid JobId, Recipe Recipe, ReadOnlyMemory<byte> Picture, ActivationMaps Maps, IReadOnlyList<StageTiming> Timings)
{
    /// <summary>What of the recipe had no effect, in one sentence, such as the words behind the last token; null for nothing.</summary>
    public string? Note { get; init; }
}
