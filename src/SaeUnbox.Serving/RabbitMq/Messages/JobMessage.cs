using System.Text.Json.Serialization;

namespace SaeUnbox.Serving.RabbitMq;

/// <summary>A job on its way to a worker.</summary>
internal sealed record JobMessage
{
    public int Version { get; init; } = Wire.Version;

    public required Guid Job { get; init; }

    public required Recipe Recipe { get; init; }

    public string? Canvas { get; init; }

    public string? Client { get; init; }

    /// <summary>Of two jobs of a canvas the one with the larger number is the newer: microseconds since 1970 when it was handed in, and never the same twice.</summary>
    public required long Sequence { get; init; }

    /// <summary>Null where no picture is wanted.</summary>
    public required PictureFormat? Picture { get; init; }

    public required IReadOnlyList<HookSite> Sites { get; init; }

    /// <summary>The queue that reports go to.</summary>
    public required string ReplyTo { get; init; }

    /// <summary>The span it belongs to, as the header traceparent has it; null where nobody traces. It travels in the message's headers.</summary>
    [JsonIgnore]
    public string? TraceParent { get; init; }

    public static JobMessage Of(GenerationJob job, long sequence, string replyTo) => new()
    {
        Job = job.Id, Recipe = job.Recipe, Canvas = job.Canvas, Client = job.Client, Sequence = sequence, Picture = job.Picture, Sites = job.Sites, ReplyTo = replyTo,
    };

    public GenerationJob ToJob() => new(Job, Recipe) { Canvas = Canvas, Client = Client, Picture = Picture, Sites = Sites.ToValueList() };
}
