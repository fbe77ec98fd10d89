using System.Buffers.Binary;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using RabbitMQ.Client;

namespace SaeUnbox.Serving.RabbitMq;

/// <summary>A job, as sent to workers.</summary>
internal sealed record JobMessage
{
    public int Version { get; init; } = Wire.Version;

    public required Guid Job { get; init; }

    public required Recipe Recipe { get; init; }

    public string? Canvas { get; init; }

    public string? Client { get; init; }

    /// <summary>Orders the jobs of a canvas; a newer job has a larger number. Microseconds since 1970 at submission, made unique.</summary>
    public required long Sequence { get; init; }

    /// <summary>Null for activations only.</summary>
    public required PictureFormat? Picture { get; init; }

    public required IReadOnlyList<Site> Sites { get; init; }

    /// <summary>The queue for replies.</summary>
    public required string ReplyTo { get; init; }

    /// <summary>W3C traceparent of the job's span; null without tracing. Sent as a message header.</summary>
    [JsonIgnore]
    public string? TraceParent { get; init; }

    public static JobMessage Of(GenerationJob job, long sequence, string replyTo) => new()
    {
        Job = job.Id,
        Recipe = job.Recipe,
        Canvas = job.Canvas,
        Client = job.Client,
        Sequence = sequence,
        Picture = job.Picture,
        Sites = job.Sites,
        ReplyTo = replyTo,
    };

    public GenerationJob ToJob() =>
        new(Job, Recipe.Check()) { Canvas = Canvas, Client = Client, Picture = Picture, Sites = Sites.ToValueList() };
}

/// <summary>A progress report on a job, as sent to the node that submitted it.</summary>
/// <param name="Worker">The sender; "" if no worker had the job.</param>
/// <param name="By">The job that superseded this one.</param>
internal sealed record Reply(GenerationProgress Progress, string Worker, Guid? By = null)
{
    // Layout: length of the head (4 bytes, little endian), the head as JSON, the picture, then each map's indices and values (4 bytes
    // each).
    public byte[] ToBytes()
    {
        var result = (Progress as GenerationProgress.Completed)?.Result;
        var maps = result?.Maps.All ?? [];
        var head = Wire.Write(ReplyHead.Of(this));
        var bytes = new byte[4 + head.Length + (result?.Picture.Length ?? 0) + maps.Sum(map => map.Values.Length * 8)];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, head.Length);
        var rest = Put(bytes.AsSpan(4), head);
        if (result is not null)
            rest = Put(rest, result.Picture.Span);
        foreach (var map in maps)
            rest = Put(Put(rest, MemoryMarshal.AsBytes(map.Indices)), MemoryMarshal.AsBytes(map.Values));
        return bytes;
    }

    /// <exception cref="MessageException">The bytes are not a valid reply of this version.</exception>
    public static Reply Read(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < 4 || BinaryPrimitives.ReadInt32LittleEndian(bytes) is var length && (length < 0 || length > bytes.Length - 4))
            throw new MessageException("the reply is truncated");
        var head = Wire.Read<ReplyHead>(bytes.Slice(4, length));
        try
        {
            return head.ToReply(bytes[(4 + length)..]);
        }
        catch (Exception exception) when (exception is ArgumentException or OverflowException)
        {
            throw new MessageException($"the reply cannot be read: {exception.Message}", exception);
        }
    }

    private static Span<byte> Put(Span<byte> target, ReadOnlySpan<byte> source)
    {
        source.CopyTo(target);
        return target[source.Length..];
    }
}

internal enum ReplyKind
{
    Running,
    Completed,
    Failed,
    Superseded,
    Cancelled,
}

/// <summary>The JSON part of a reply: all but the picture and the numbers of the maps.</summary>
internal sealed record ReplyHead(Guid Job, ReplyKind Kind, string Worker)
{
    public int Version { get; init; } = Wire.Version;

    public int Step { get; init; }

    public int Steps { get; init; }

    public string? Message { get; init; }

    public Guid? By { get; init; }

    public Recipe? Recipe { get; init; }

    /// <summary>Size of the picture in bytes.</summary>
    public int Picture { get; init; }

    public string? Note { get; init; }

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
                Recipe = result.Recipe,
                Picture = result.Picture.Length,
                Timings = result.Timings,
                Note = result.Note,
                Maps = [.. result.Maps.All.Select(MapHead.Of)],
            },
            _ => throw new ArgumentException($"{reply.Progress.GetType().Name} is not a report that workers send", nameof(reply)),
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
            maps.Add(new(map.Site, map.Step, map.Rows, map.Columns, map.Features, MemoryMarshal.Cast<byte, int>(rest[..bytes]).ToArray(),
                MemoryMarshal.Cast<byte, float>(rest.Slice(bytes, bytes)).ToArray())
            {
                ExplainedVariance = map.ExplainedVariance,
            });
            rest = rest[(2 * bytes)..];
        }
        var recipe = Recipe ?? throw new MessageException("the reply has no recipe");
        return new(Job, recipe, picture, new ActivationMaps(maps), Timings) { Note = Note };
    }
}

/// <summary>The shape of one map.</summary>
internal sealed record MapHead(Site Site, int Step, int Rows, int Columns, int Features, int K, double? ExplainedVariance)
{
    public static MapHead Of(SiteActivations map) =>
        new(map.Site, map.Step, map.Rows, map.Columns, map.Features, map.K, map.ExplainedVariance);
}

/// <summary>Tells web nodes which devices a worker process has; none when it shuts down.</summary>
internal sealed record Announcement(string Node, IReadOnlyList<WorkerInfo> Devices)
{
    public int Version { get; init; } = Wire.Version;
}

/// <summary>A broadcast to all workers. If it gets lost, a worker runs a job that nobody waits for, and nothing worse happens.</summary>
internal sealed record ControlMessage
{
    public int Version { get; init; } = Wire.Version;

    /// <summary>A job that supersedes older ones of its canvas; null for none.</summary>
    public JobMessage? Newer { get; init; }

    /// <summary>A cancelled job; null for none.</summary>
    public Guid? Cancelled { get; init; }

    /// <summary>Asks workers to announce themselves at once.</summary>
    public bool WhoIsThere { get; init; }
}

/// <summary>The trace context in a message's headers (W3C Trace Context).</summary>
internal static class TraceHeader
{
    private const string Name = "traceparent";

    /// <summary>Headers that hold the trace context; null without one.</summary>
    public static Dictionary<string, object?>? Of(string? traceParent) => traceParent is null ? null : new() { [Name] = traceParent };

    public static string? Read(IReadOnlyBasicProperties properties) =>
        properties.Headers?.TryGetValue(Name, out var value) == true && value is byte[] text ? Encoding.UTF8.GetString(text) : null;

    /// <summary>The context to continue; the default one if it is missing or malformed.</summary>
    public static ActivityContext Parse(string? traceParent) =>
        ActivityContext.TryParse(traceParent, null, isRemote: true, out var context) ? context : default;
}

/// <summary>Reads and writes versioned JSON messages. A reader accepts one version, and ignores unknown fields.</summary>
internal static class Wire
{
    public const int Version = 1;

    private static readonly JsonSerializerOptions Options =
        new(JsonSerializerDefaults.Web) { Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) }, MaxDepth = 16 };

    public static byte[] Write<T>(T message) => JsonSerializer.SerializeToUtf8Bytes(message, Options);

    /// <exception cref="MessageException">The bytes are not a message of this type and version.</exception>
    public static T Read<T>(ReadOnlySpan<byte> bytes)
    {
        try
        {
            var version = JsonSerializer.Deserialize<Versioned>(bytes, Options)?.Version;
            if (version != Version)
                throw new MessageException(version is null
                    ? "the message has no version"
                    : $"the message has version {version}; this program reads version {Version}");
            return JsonSerializer.Deserialize<T>(bytes, Options) ?? throw new MessageException("the message is empty");
        }
        catch (JsonException exception)
        {
            throw new MessageException($"the message cannot be read: {exception.Message}", exception);
        }
    }

    private sealed record Versioned(int? Version);
}

/// <summary>A message is malformed, or of another version.</summary>
internal sealed class MessageException(string message, Exception? inner = null) : Exception(message, inner);
