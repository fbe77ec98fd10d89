namespace SaeUnbox.Serving.RabbitMq;

/// <summary>A worker process says that it is there. The devices are none where it is about to go.</summary>
internal sealed record Announcement(string Node, IReadOnlyList<WorkerInfo> Devices)
{
    public int Version { get; init; } = Wire.Version;
}
