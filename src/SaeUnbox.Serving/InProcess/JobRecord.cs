namespace SaeUnbox.Serving;

/// <summary>A job that was accepted, what is reported of it, and the means to cancel it.</summary>
internal sealed class JobRecord(GenerationJob job, long accepted) : JobReports(job, new JobTelemetry(job, JobTelemetry.DeviceQueue))
{
    /// <summary>Time stamp of its acceptance.</summary>
    public long Accepted => accepted;

    /// <summary>The one device that may do it; null for any.</summary>
    public string? Device { get; init; }

    /// <summary>Time stamp of its start.</summary>
    public long Started { get; set; }

    /// <summary>What broke under it, where the job itself was not at fault.</summary>
    public Exception? Fault { get; set; }

    public CancellationTokenSource Cancellation { get; } = new();
}
