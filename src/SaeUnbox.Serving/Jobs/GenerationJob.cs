namespace SaeUnbox.Serving;

/// <summary>A recipe to be run, and what is wanted of it.</summary>
/// <param name="Id">Names the job; to submit the same job twice runs it once.</param>
/// <param name="Recipe">What to make.</param>
public sealed record GenerationJob(Guid Id, Recipe Recipe)
{
    /// <summary>
    /// The canvas the picture is for. Of one canvas one job runs at a time, and a newer job replaces the one that waits. Null for
    /// a job on its own.
    /// </summary>
    public string? Canvas { get; init; }

    /// <summary>Who asks; jobs without a canvas take turns between those who ask.</summary>
    public string? Client { get; init; }

    /// <summary>The picture's format; null where only activations are wanted.</summary>
    public PictureFormat? Picture { get; init; } = PictureFormat.Png;

    /// <summary>The sites whose activations are wanted.</summary>
    public ValueList<HookSite> Sites { get; init; } = [];
}

public enum PictureFormat
{
    Png,
    Jpeg,
    WebP,
}

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

/// <summary>What a job gave.</summary>
/// <param name="JobId">The job.</param>
/// <param name="Recipe">The recipe that was run.</param>
/// <param name="Picture">The encoded picture; empty where none was wanted.</param>
/// <param name="Maps">The activations of the sites that were asked for.</param>
/// <param name="Timings">How long each stage took, in their order.</param>
public sealed record GenerationResult(
    Guid JobId, Recipe Recipe, ReadOnlyMemory<byte> Picture, ActivationMaps Maps, IReadOnlyList<StageTiming> Timings);
