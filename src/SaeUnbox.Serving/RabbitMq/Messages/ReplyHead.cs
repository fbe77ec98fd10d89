using System.Runtime.InteropServices;

namespace SaeUnbox.Serving.RabbitMq;

internal enum ReplyKind
{
    Running,
    Completed,
    Failed,
    Superseded,
    Cancelled,
}

/// <summary>All of a reply but its picture and the numbers of its maps.</summary>
internal sealed record ReplyHead(Guid Job, ReplyKind Kind, string Worker)
{
    public int Version { get; init; } = Wire.Version;

    public int Step { get; init; }

    public int Steps { get; init; }

    public string? Message { get; init; }

    public Guid? By { get; init; }

    public Recipe? Recipe { get; init; }

    /// <summary>Bytes of the picture.</summary>
    public int Picture { get; init; }

    public IReadOnlyList<MapHead> Maps { get; init; } = [];

    public IReadOnlyList<StageTiming> Timings { get; init; } = [];

    public static ReplyHead Of(Reply reply)
    {
        var id = reply.Progress.JobId;
        return reply.Progress switch
        {
            GenerationProgress.Running running => new(id, ReplyKind.Running, reply.Worker) { Step = running.Step, Steps = running.Steps },
            GenerationProgress.Failed failed => new(id, ReplyKind.Failed, reply.Worker) { Message = failed.Message },
            GenerationProgress.Superseded => new(id, ReplyKind.Superseded, reply.Worker) { By = reply.By },
            GenerationProgress.Cancelled => new(id, ReplyKind.Cancelled, reply.Worker),
            GenerationProgress.Completed { Result: var result } => new(id, ReplyKind.Completed, reply.Worker)
            {
                Recipe = result.Recipe, Picture = result.Picture.Length, Timings = result.Timings, Maps = [.. result.Maps.All.Select(MapHead.Of)],
            },
            _ => throw new ArgumentException($"{reply.Progress.GetType().Name} is no report of a worker", nameof(reply)),
        };
    }

    public Reply ToReply(ReadOnlySpan<byte> rest) => new(Kind switch
    {
        ReplyKind.Running => new GenerationProgress.Running(Job, Step, Steps),
        ReplyKind.Failed => new GenerationProgress.Failed(Job, Message ?? ""),
        ReplyKind.Superseded => new GenerationProgress.Superseded(Job),
        ReplyKind.Cancelled => new GenerationProgress.Cancelled(Job),
        _ => new GenerationProgress.Completed(ToResult(rest)),
    }, Worker, By);

    private GenerationResult ToResult(ReadOnlySpan<byte> rest)
    {
        var picture = rest[..Picture].ToArray();
        rest = rest[Picture..];
        var maps = new List<SiteActivations>();
        foreach (var map in Maps)
        {
            var bytes = checked(map.Rows * map.Columns * map.K * sizeof(int));
            maps.Add(new(map.Site, map.Step, map.Rows, map.Columns, map.Features, MemoryMarshal.Cast<byte, int>(rest[..bytes]).ToArray(), MemoryMarshal.Cast<byte, float>(rest.Slice(bytes, bytes)).ToArray())
            {
                ExplainedVariance = map.ExplainedVariance,
            });
            rest = rest[(2 * bytes)..];
        }
        return new(Job, Recipe ?? throw new MessageException("the reply has no recipe"), picture, new ActivationMaps(maps), Timings);
    }
}

/// <summary>The form of one map.</summary>
internal sealed record MapHead(HookSite Site, int Step, int Rows, int Columns, int Features, int K, double? ExplainedVariance)
{
    public static MapHead Of(SiteActivations map) => new(map.Site, map.Step, map.Rows, map.Columns, map.Features, map.K, map.ExplainedVariance);
}
