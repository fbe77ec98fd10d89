using System.Text;

namespace SaeUnbox.Models;

/// <summary>Reads a stretch of a file forward through a small buffer; never past its end, never allocating more than is left.</summary>
internal sealed class ByteSource(SourceFile file, long position, long end)
{
    /// <summary>Most bytes of text in a file: names and notes, never weights.</summary>
    private const int MostText = 16 << 20;

    private readonly byte[] buffer = new byte[(int)Math.Min(32 * 1024, Math.Max(1, end - position))];
    private int next;
    private int filled;
    private long position = position;
    private long texts;

    public SourceFile File => file;

    /// <summary>The place in the file of the next byte.</summary>
    public long Position => position - (filled - next);

    public long Left => end - Position;

    public byte ReadByte()
    {
        if (next == filled) Fill();
        return buffer[next++];
    }

    public void ReadExactly(Span<byte> target)
    {
        if (target.Length > Left) throw Ended();
        while (target.Length > 0)
        {
            if (next == filled) Fill();
            var count = Math.Min(target.Length, filled - next);
            buffer.AsSpan(next, count).CopyTo(target);
            next += count;
            target = target[count..];
        }
    }

    /// <summary>Text of so many bytes.</summary>
    public string ReadUtf8(long count)
    {
        if (count > Left) throw Ended();
        if ((texts += count) > MostText) throw file.Broken($"its pickle holds more than {MostText} bytes of text");
        var bytes = new byte[count];
        ReadExactly(bytes);
        try
        {
            return StrictUtf8.GetString(bytes);
        }
        catch (DecoderFallbackException exception)
        {
            throw file.Broken("a text in it is not UTF-8", exception);
        }
    }

    /// <summary>Text up to a line feed, which is dropped.</summary>
    public string ReadLine(int limit)
    {
        var line = new StringBuilder();
        for (byte letter; (letter = ReadByte()) != '\n'; line.Append((char)letter))
            if (line.Length == limit || letter > 127) throw file.Broken("a name in its pickle is too long or not ASCII");
        return line.ToString();
    }

    private static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);

    private void Fill()
    {
        var count = (int)Math.Min(buffer.Length, end - position);
        if (count <= 0) throw Ended();
        file.ReadExactly(position, buffer.AsSpan(0, count));
        (position, next, filled) = (position + count, 0, count);
    }

    private CheckpointException Ended() => file.Broken("its pickle ends in the middle or is too long");
}
