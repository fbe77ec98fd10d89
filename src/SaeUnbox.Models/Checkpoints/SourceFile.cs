using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace SaeUnbox.Models;

/// <summary>A file open for random-access reading. Every failure is a <see cref="CheckpointException"/> that names the file.</summary>
internal sealed class SourceFile : IDisposable
{
    private const int MaxReasonLength = 1000;

    private readonly SafeFileHandle _handle;

    private SourceFile(string path, SafeFileHandle handle)
    {
        (Path, _handle) = (path, handle);
        Length = RandomAccess.GetLength(_handle);
    }

    public string Path { get; }

    public long Length { get; }

    /// <summary>When the file was last written.</summary>
    public DateTime Changed => File.GetLastWriteTimeUtc(_handle);

    public static SourceFile Open(string path)
    {
        if (Directory.Exists(path))
            throw new CheckpointException($"'{path}' is a folder; a checkpoint file is expected.");
        try
        {
            return new SourceFile(path, File.OpenHandle(path));
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new CheckpointException($"The checkpoint '{path}' does not exist.", exception);
        }
        catch (Exception exception)
            when (exception is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
        {
            throw new CheckpointException($"The checkpoint '{path}' cannot be opened: {exception.Message}", exception);
        }
    }

    /// <exception cref="CheckpointException">The file ends before the span is full.</exception>
    public void ReadExactly(long position, Span<byte> target)
    {
        if (position < 0 || target.Length > Length - position)
            throw Broken("it ends before the data that its header describes");
        try
        {
            while (target.Length > 0)
            {
                var read = RandomAccess.Read(_handle, target, position);
                if (read == 0)
                    throw Broken("it ends before the data that its header describes (was it truncated while it was read?)");
                position += read;
                target = target[read..];
            }
        }
        catch (IOException exception)
        {
            throw new CheckpointException($"The checkpoint '{Path}' cannot be read: {exception.Message}", exception);
        }
    }

    /// <summary>Creates the error for a malformed file. Untrusted names in it are shortened and kept on one line.</summary>
    public CheckpointException Broken(string what, Exception? inner = null) =>
        new($"The checkpoint '{Path}' is broken: {OneLine(what)}.", inner);

    /// <summary>Creates the error for a file that is in order, but of a kind that is not read here.</summary>
    /// <param name="what">What the file is or holds, and what to do.</param>
    public CheckpointException Unsupported(string what) => new($"'{Path}' cannot be read as weights: {OneLine(what)}.");

    /// <summary>Shortens a text with names of a file, and keeps it on one line.</summary>
    public static string OneLine(string what)
    {
        if (what.Length > MaxReasonLength)
            what = $"{what[..(MaxReasonLength / 2)]} … {what[^(MaxReasonLength / 2)..]}";
        return string.Create(what.Length, what, (letters, text) =>
        {
            for (var i = 0; i < letters.Length; i++)
                letters[i] = char.IsControl(text[i]) ? '?' : text[i];
        });
    }

    public void Dispose() => _handle.Dispose();
}

/// <summary>
/// Reads a range of a file sequentially through a small buffer. It never reads past the end, or allocates more than the rest of the range.
/// </summary>
internal sealed class ByteSource(SourceFile file, long start, long end)
{
    /// <summary>Limit for all texts of a file in bytes; they are names and notes, never weights.</summary>
    private const int MaxTextBytes = 16 << 20;

    private readonly byte[] _buffer = new byte[(int)Math.Min(32 * 1024, Math.Max(1, end - start))];
    private int _next;
    private int _filled;
    private long _position = start;
    private long _texts;

    public SourceFile File => file;

    /// <summary>Offset of the next byte in the file.</summary>
    public long Position => _position - (_filled - _next);

    public long Left => end - Position;

    public byte ReadByte()
    {
        if (_next == _filled)
            Fill();
        return _buffer[_next++];
    }

    public void ReadExactly(Span<byte> target)
    {
        if (target.Length > Left)
            throw Ended();
        while (target.Length > 0)
        {
            if (_next == _filled)
                Fill();
            var count = Math.Min(target.Length, _filled - _next);
            _buffer.AsSpan(_next, count).CopyTo(target);
            _next += count;
            target = target[count..];
        }
    }

    /// <param name="count">Length in bytes.</param>
    public string ReadUtf8(long count)
    {
        if (count > Left)
            throw Ended();
        if ((_texts += count) > MaxTextBytes)
            throw file.Broken($"its pickle holds more than {MaxTextBytes} bytes of text");
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

    /// <summary>Reads up to a line feed, and drops it.</summary>
    public string ReadLine(int limit)
    {
        var line = new StringBuilder();
        for (byte letter; (letter = ReadByte()) != '\n'; line.Append((char)letter))
            if (line.Length == limit || letter > 127)
                throw file.Broken("a name in its pickle is too long or not ASCII");
        return line.ToString();
    }

    private static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);

    private void Fill()
    {
        var count = (int)Math.Min(_buffer.Length, end - _position);
        if (count <= 0)
            throw Ended();
        file.ReadExactly(_position, _buffer.AsSpan(0, count));
        (_position, _next, _filled) = (_position + count, 0, count);
    }

    private CheckpointException Ended() => file.Broken("its pickle is truncated or too long");
}

/// <summary>Identifies large files without reading them whole, by a hash of their names, lengths and evenly spaced pieces.</summary>
public static class FileFingerprint
{
    private const int Pieces = 64, PieceLength = 1024, Characters = 16;

    /// <summary>The fingerprint, as hexadecimal digits.</summary>
    /// <param name="files">Name and path of each file. Names, unlike paths, stay the same when files move.</param>
    /// <exception cref="CheckpointException">A file cannot be read.</exception>
    public static string Compute(IEnumerable<(string Name, string Path)> files)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var (name, path) in files.OrderBy(file => file.Name, StringComparer.Ordinal))
        {
            hash.AppendData(Encoding.UTF8.GetBytes(name + "\n"));
            Append(hash, path);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset())[..Characters];
    }

    private static void Append(IncrementalHash hash, string path)
    {
        try
        {
            using var file = File.OpenHandle(path);
            var length = RandomAccess.GetLength(file);
            Span<byte> piece = stackalloc byte[PieceLength];
            BinaryPrimitives.WriteInt64LittleEndian(piece, length);
            hash.AppendData(piece[..sizeof(long)]);
            // Short files are read whole. In a long file, the last piece ends at the last byte.
            var step = Math.Max(PieceLength, (length - PieceLength) / (Pieces - 1.0));
            for (var number = 0; number < Pieces && number * step < length; number++)
                hash.AppendData(piece[..RandomAccess.Read(file, piece, (long)(number * step))]);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointException($"'{path}' cannot be read: {exception.Message}", exception);
        }
    }
}
