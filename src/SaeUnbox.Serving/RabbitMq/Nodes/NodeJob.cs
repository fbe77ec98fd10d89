namespace SaeUnbox.Serving.RabbitMq;

/// <summary>A job of this node, or one of its earlier life that came home.</summary>
/// <param name="job">The job.</param>
/// <param name="sequence">Larger for newer jobs.</param>
/// <param name="accepted">Time stamp of its acceptance.</param>
/// <param name="telemetry">Told of its course; null for a job of this node's earlier life.</param>
internal sealed class NodeJob(GenerationJob job, long sequence, long accepted, JobTelemetry? telemetry) : JobReports(job, telemetry)
{
    public long Sequence => sequence;

    /// <summary>Time stamp of its acceptance.</summary>
    public long Accepted { get; } = accepted;

    /// <summary>Time stamp of when it was last heard of.</summary>
    public long LastSign { get; set; } = accepted;

    /// <summary>The queue for all workers that it waits in, or will, where its own worker does not take it; null while it is not published, and once a worker has it.</summary>
    public string? WaitsIn { get; set; }
}
