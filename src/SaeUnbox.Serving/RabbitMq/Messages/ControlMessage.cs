namespace SaeUnbox.Serving.RabbitMq;

/// <summary>What all workers are told. It may be lost: then a job is done that nobody waits for, and nothing else.</summary>
internal sealed record ControlMessage
{
    public int Version { get; init; } = Wire.Version;

    /// <summary>A job that takes the place of older ones of its canvas; null for none.</summary>
    public JobMessage? Newer { get; init; }

    /// <summary>A job that is not wanted any more; null for none.</summary>
    public Guid? Cancelled { get; init; }

    /// <summary>Workers are to tell at once that they are there.</summary>
    public bool WhoIsThere { get; init; }
}
