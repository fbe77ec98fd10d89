using SaeUnbox.Contracts;

namespace SaeUnbox.RabbitMq;

/// <summary>A job of this node, or one of its earlier life that came home.</summary>
internal sealed class NodeJob(GenerationJob job, long sequence, long accepted) : JobReports(job.Id)
{
    public GenerationJob Job => job;

    public long Sequence => sequence;

    /// <summary>Time stamp of its acceptance.</summary>
    public long Accepted { get; } = accepted;

    /// <summary>Time stamp of when it was last heard of.</summary>
    public long LastSign { get; set; } = accepted;

    /// <summary>The queue for all workers that it waits in, or will, where its own worker does not take it; null while it is not published, and once a worker has it.</summary>
    public string? WaitsIn { get; set; }
}
