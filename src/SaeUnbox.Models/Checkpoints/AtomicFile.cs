using System.Text;

namespace SaeUnbox.Models;

/// <summary>
/// Writes a file as a whole or not at all: aside in the same folder, flushed to the disk, then renamed over the old one. On any failure
/// the part written is removed and the old file stays as it was.
/// </summary>
public static class AtomicFile
{
    private const int NoSpaceOnUnix = 28, NoSpaceOnWindows = 0x70, HandleDiskFull = 0x27;

    /// <param name="path">The file to write; its folder must be there.</param>
    /// <param name="write">Writes the content; the stream can seek.</param>
    /// <exception cref="CheckpointException">The disk is full, the folder is missing or may not be written.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        try
        {
            var target = Target(path);
            if (IsDevice(target)) WriteThrough(target, write);
            else WriteAside(target, write);
        }
        catch (IOException exception) when ((exception.HResult & 0xffff) is NoSpaceOnUnix or NoSpaceOnWindows or HandleDiskFull)
        {
            throw new CheckpointException($"'{path}' could not be written: the disk is full. Nothing half-written was left.", exception);
        }
        catch (DirectoryNotFoundException exception)
        {
            throw new CheckpointException($"'{path}' could not be written: its folder does not exist.", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new CheckpointException($"'{path}' could not be written: {exception.Message}", exception);
        }
    }

    /// <summary>The folder that a file is written aside in; null for a device, which is written in place.</summary>
    public static string? FolderOf(string path) => Target(path) is var target && IsDevice(target) ? null : Path.GetDirectoryName(target);

    public static void WriteAllBytes(string path, ReadOnlyMemory<byte> bytes) => Write(path, stream => stream.Write(bytes.Span));

    /// <summary>UTF-8 without a byte order mark.</summary>
    public static void WriteAllText(string path, string text) => WriteAllBytes(path, Encoding.UTF8.GetBytes(text));

    private static void WriteAside(string target, Action<Stream> write)
    {
        if (Directory.Exists(target)) throw new IOException("a folder of that name is there.");
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

    /// <summary>A device (/dev/stdout, /dev/full) has no folder to write aside in, and must not be replaced by a file.</summary>
    private static void WriteThrough(string target, Action<Stream> write)
    {
        using var stream = new FileStream(target, FileMode.Open, FileAccess.Write);
        write(stream);
        stream.Flush();
    }

    /// <summary>A link stays a link: what it points to is written.</summary>
    private static string Target(string path)
    {
        var full = Path.GetFullPath(path);
        if (IsDevice(full) || new FileInfo(full).LinkTarget is null) return full;
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
            // The failure that led here is the one to tell of.
        }
    }
}

/// <summary>Keeps other runs out of a folder that one is filling; a run that dies lets go of it.</summary>
public static class FolderLock
{
    /// <param name="folder">There already.</param>
    /// <returns>Held until disposed.</returns>
    /// <exception cref="CheckpointException">Another run holds it, or the folder cannot be written.</exception>
    public static IDisposable Take(string folder)
    {
        try
        {
            return new FileStream(Path.Combine(folder, ".lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1, FileOptions.DeleteOnClose);
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
