namespace SaeUnbox.Serving;

/// <summary>A report on a job. A job's reports end with one that is final.</summary>
public abstract record GenerationProgress
{
    private GenerationProgress(Guid jobId, bool isFinal)
    {
        JobId = jobId;
        IsFinal = isFinal;
    }

    public Guid JobId { get; }

    /// <summary>True where no report follows.</summary>
    public bool IsFinal { get; }

    /// <param name="JobId">The job.</param>
    /// <param name="Position">Jobs ahead of it.</param>
    /// <param name="Expected">Expected wait; null where there is nothing to go by.</param>
    public sealed record Waiting(Guid JobId, int Position, TimeSpan? Expected) : GenerationProgress(JobId, isFinal: false);

    /// <param name="JobId">The job.</param>
    /// <param name="Step">Denoising steps done.</param>
    /// <param name="Steps">Denoising steps in all.</param>
    public sealed record Running(Guid JobId, int Step, int Steps) : GenerationProgress(JobId, isFinal: false);

    public sealed record Completed(GenerationResult Result) : GenerationProgress(Result.JobId, isFinal: true);

    /// <param name="JobId">The job.</param>
    /// <param name="Message">One sentence for the person who asked.</param>
    public sealed record Failed(Guid JobId, string Message) : GenerationProgress(JobId, isFinal: true);

    /// <summary>A newer job of the same canvas took its place before it ran.</summary>
    public sealed record Superseded(Guid JobId) : GenerationProgress(JobId, isFinal: true);

    public sealed record Cancelled(Guid JobId) : GenerationProgress(JobId, isFinal: true);
}
