namespace SaeUnbox.Models;

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
