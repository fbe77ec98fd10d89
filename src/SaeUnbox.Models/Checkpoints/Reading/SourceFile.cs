using Microsoft.Win32.SafeHandles;

namespace SaeUnbox.Models;

/// <summary>A file open for reading at any place; every failure is a <see cref="CheckpointException"/> that names it.</summary>
internal sealed class SourceFile : IDisposable
{
    private const int LongestReason = 1000;

    private readonly SafeFileHandle handle;

    private SourceFile(string path, SafeFileHandle handle)
    {
        (Path, this.handle) = (path, handle);
        Length = RandomAccess.GetLength(handle);
    }

    public string Path { get; }

    public long Length { get; }

    public static SourceFile Open(string path)
    {
        if (Directory.Exists(path)) throw new CheckpointException($"'{path}' is a folder, where a checkpoint file was expected.");
        try
        {
            return new SourceFile(path, File.OpenHandle(path));
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new CheckpointException($"The checkpoint '{path}' does not exist.", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
        {
            throw new CheckpointException($"The checkpoint '{path}' cannot be opened: {exception.Message}", exception);
        }
    }

    /// <summary>Fills the whole span from the given place.</summary>
    public void ReadExactly(long position, Span<byte> target)
    {
        if (position < 0 || target.Length > Length - position) throw Broken("it ends before the data that it announces");
        try
        {
            while (target.Length > 0)
            {
                var read = RandomAccess.Read(handle, target, position);
                if (read == 0) throw Broken("it ends before the data that it announces (was it cut while being read?)");
                position += read;
                target = target[read..];
            }
        }
        catch (IOException exception)
        {
            throw new CheckpointException($"The checkpoint '{Path}' cannot be read: {exception.Message}", exception);
        }
    }

    /// <summary>The error of a file that breaks its format, on one line of bounded length whatever names the file gives.</summary>
    public CheckpointException Broken(string what, Exception? inner = null)
    {
        if (what.Length > LongestReason) what = $"{what[..(LongestReason / 2)]} … {what[^(LongestReason / 2)..]}";
        var line = string.Create(what.Length, what, (letters, text) =>
        {
            for (var i = 0; i < letters.Length; i++) letters[i] = char.IsControl(text[i]) ? '?' : text[i];
        });
        return new CheckpointException($"The checkpoint '{Path}' is broken: {line}.", inner);
    }

    public void Dispose() => handle.Dispose();
}
