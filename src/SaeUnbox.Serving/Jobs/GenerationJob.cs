namespace SaeUnbox.Serving;

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
