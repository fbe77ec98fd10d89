using System.Text;

namespace SaeUnbox.Models;

/// <summary>
/// Writes a file completely or not at all: it writes a temporary file in the same folder, flushes it to disk, and renames it over the old
/// file. On failure it deletes the temporary file and leaves the old one unchanged.
/// </summary>
public static class AtomicFile
{
    private const int NoSpaceOnUnix = 28, NoSpaceOnWindows = 0x70, HandleDiskFull = 0x27;

    /// <param name="path">Its folder must exist.</param>
    /// <param name="write">Writes the content. The stream is seekable.</param>
    /// <exception cref="CheckpointException">The disk is full, or the folder is missing or read-only.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        try
        {
            var target = Target(path);
            if (IsDevice(target))
                WriteThrough(target, write);
            else
                WriteAside(target, write);
        }
        catch (IOException exception) when ((exception.HResult & 0xffff) is NoSpaceOnUnix or NoSpaceOnWindows or HandleDiskFull)
        {
            throw new CheckpointException($"'{path}' could not be written: the disk is full. No partial file was left.", exception);
        }
        catch (DirectoryNotFoundException exception)
        {
            throw new CheckpointException($"'{path}' could not be written: its folder does not exist.", exception);
        }
        catch (Exception exception)
            when (exception is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new CheckpointException($"'{path}' could not be written: {exception.Message}", exception);
        }
    }

    /// <summary>The folder of the temporary file; null for a device, which is written in place.</summary>
    public static string? FolderOf(string path) => Target(path) is var target && IsDevice(target) ? null : Path.GetDirectoryName(target);

    public static void WriteAllBytes(string path, ReadOnlyMemory<byte> bytes) => Write(path, stream => stream.Write(bytes.Span));

    /// <summary>UTF-8 without a byte order mark.</summary>
    public static void WriteAllText(string path, string text) => WriteAllBytes(path, Encoding.UTF8.GetBytes(text));

    private static void WriteAside(string target, Action<Stream> write)
    {
        if (Directory.Exists(target))
            throw new IOException("it is a folder.");
        var aside = Path.Combine(Path.GetDirectoryName(target)!, $".{Guid.NewGuid():N}.partial");
        try
        {
            using (var stream = new FileStream(aside, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, 1 << 16))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }
            File.Move(aside, target, overwrite: true);
        }
        catch
        {
            Remove(aside);
            throw;
        }
    }

    /// <summary>Writes to a device such as /dev/stdout, which must not be replaced by a file.</summary>
    private static void WriteThrough(string target, Action<Stream> write)
    {
        using var stream = new FileStream(target, FileMode.Open, FileAccess.Write);
        write(stream);
        stream.Flush();
    }

    /// <summary>Follows a link, so that its target is replaced rather than the link.</summary>
    private static string Target(string path)
    {
        var full = Path.GetFullPath(path);
        if (IsDevice(full) || new FileInfo(full).LinkTarget is null)
            return full;
        return File.ResolveLinkTarget(full, returnFinalTarget: true)?.FullName ?? full;
    }

    private static bool IsDevice(string path) => !OperatingSystem.IsWindows() && (path.StartsWith("/dev/", StringComparison.Ordinal)
        || path.StartsWith("/proc/", StringComparison.Ordinal)) && File.Exists(path);

    private static void Remove(string aside)
    {
        try
        {
            File.Delete(aside);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // The original error is the one to report.
        }
    }
}

/// <summary>Locks a folder for one process. The lock ends with the process.</summary>
public static class FolderLock
{
    /// <param name="folder">Must exist.</param>
    /// <returns>Releases the lock when disposed.</returns>
    /// <exception cref="CheckpointException">Another process holds the lock, or the folder is read-only.</exception>
    public static IDisposable Take(string folder)
    {
        try
        {
            return new FileStream(
                Path.Combine(folder, ".lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1, FileOptions.DeleteOnClose);
        }
        catch (UnauthorizedAccessException exception)
        {
            throw new CheckpointException($"The folder '{folder}' cannot be written: {exception.Message}", exception);
        }
        catch (IOException exception)
        {
            throw new CheckpointException($"Another run is under way in '{folder}'; wait for it, or choose another folder.", exception);
        }
    }
}

/// <summary>
/// Writes a folder completely or not at all: it writes a hidden folder beside it, and renames that. On failure it deletes it again.
/// </summary>
internal static class AtomicFolder
{
    /// <param name="path">Must not exist, or be an empty folder. Folders above it are made.</param>
    /// <param name="write">Writes the content into the folder that it is given.</param>
    /// <exception cref="CheckpointException">There is something at the path, or the folder cannot be written.</exception>
    public static void Write(string path, Action<string> write)
    {
        var target = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        if (File.Exists(target) || Directory.Exists(target) && Directory.EnumerateFileSystemEntries(target).Any())
            throw new CheckpointException($"'{path}' exists already; name a new folder.");
        var aside = Path.Combine(Path.GetDirectoryName(target)!, $".{Guid.NewGuid():N}.partial");
        try
        {
            Directory.CreateDirectory(aside);
            write(aside);
            if (Directory.Exists(target))
                Directory.Delete(target);
            Directory.Move(aside, target);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            Remove(aside);
            throw new CheckpointException($"'{path}' could not be written: {exception.Message}", exception);
        }
        catch
        {
            Remove(aside);
            throw;
        }
    }

    private static void Remove(string aside)
    {
        try
        {
            Directory.Delete(aside, recursive: true);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // The original error is the one to report.
        }
    }
}
