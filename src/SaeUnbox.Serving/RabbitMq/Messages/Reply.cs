using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace SaeUnbox.Serving.RabbitMq;

/// <summary>A report on a job, and who sends it.</summary>
/// <param name="Progress">The report.</param>
/// <param name="Worker">The worker; "" where none had it.</param>
/// <param name="By">The job that took its place, where it was superseded.</param>
internal sealed record Reply(GenerationProgress Progress, string Worker, Guid? By = null)
{
    // Length of the head (4 bytes, little endian), the head as JSON, the picture, then of each map the indices and the values (4 bytes a number).
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

    /// <exception cref="MessageException">It is no reply that this program can read.</exception>
    public static Reply Read(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < 4 || BinaryPrimitives.ReadInt32LittleEndian(bytes) is var length && (length < 0 || length > bytes.Length - 4))
            throw new MessageException("the reply is cut off");
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
