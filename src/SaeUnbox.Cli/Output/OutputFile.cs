namespace SaeUnbox.Cli.Output;

/// <summary>Writes the files and folders of a command completely or not at all.</summary>
internal static class OutputFile
{
    /// <summary>Checks before long work that a file can be written.</summary>
    /// <exception cref="CliException">The path is a folder, or its folder is missing or read-only.</exception>
    public static void Require(string path, string option)
    {
        if (path.Length == 0)
            throw new CliException($"{option}: a file's name is expected.");
        if (Directory.Exists(path))
            throw new CliException($"{option} {path}: that is a folder; a file's name is expected.");
        if (AtomicFile.FolderOf(path) is not { } folder)
            return;
        if (!Directory.Exists(folder))
            throw new CliException($"{option} {path}: the folder {folder} is missing.");
        RequireWritable(folder, $"{option} {path}");
    }

    /// <summary>Checks before long work that a folder can be created or filled.</summary>
    /// <exception cref="CliException">The path is a file, or the folder is read-only.</exception>
    public static void RequireFolder(string path, string option)
    {
        if (path.Length == 0)
            throw new CliException($"{option}: a folder's name is expected.");
        if (File.Exists(path))
            throw new CliException($"{option} {path}: that is a file; a folder is expected.");
        var existing = Path.GetFullPath(path);
        while (!Directory.Exists(existing))
        {
            if (File.Exists(existing))
                throw new CliException($"{option} {path}: {existing} is a file.");
            existing = Path.GetDirectoryName(existing)!;
        }
        RequireWritable(existing, $"{option} {path}");
    }

    /// <summary>The PNG files directly in a folder; none if the folder does not exist.</summary>
    public static IEnumerable<string> Pictures(string folder) => Directory.Exists(folder) ? Directory.EnumerateFiles(folder, "*.png") : [];

    public static void Write(string path, byte[] bytes) => AtomicFile.WriteAllBytes(path, bytes);

    /// <summary>Fills a folder through a temporary one, so that a failure leaves it unchanged. Replaces files of the same names.</summary>
    /// <param name="path">Created if missing.</param>
    /// <param name="fill">Writes into the folder that it is given.</param>
    /// <param name="earlier">Files of an earlier run. Those that are not written again are deleted.</param>
    public static void WriteFolder(string path, Action<string> fill, IEnumerable<string> earlier)
    {
        var target = Path.GetFullPath(path);
        var made = !Directory.Exists(target);
        Directory.CreateDirectory(target);
        var aside = Path.Combine(target, $".{Guid.NewGuid():N}.partial");
        try
        {
            Directory.CreateDirectory(aside);
            fill(aside);
            var files = Directory.GetFiles(aside, "*", SearchOption.AllDirectories)
                .ToDictionary(file => Path.Combine(target, Path.GetRelativePath(aside, file)));
            foreach (var stale in earlier.Select(Path.GetFullPath).Except(files.Keys).ToArray())
                Remove(stale);
            foreach (var (place, file) in files)
            {
                Directory.CreateDirectory(Path.GetDirectoryName(place)!);
                File.Move(file, place, overwrite: true);
            }
        }
        catch when (made)
        {
            Directory.Delete(target, recursive: true);
            throw;
        }
        finally
        {
            if (Directory.Exists(aside))
                Directory.Delete(aside, recursive: true);
        }
    }

    // Also deletes the folder once it is empty.
    private static void Remove(string file)
    {
        File.Delete(file);
        var folder = Path.GetDirectoryName(file)!;
        if (!Directory.EnumerateFileSystemEntries(folder).Any())
            Directory.Delete(folder);
    }

    private static void RequireWritable(string folder, string what)
    {
        try
        {
            using var probe = new FileStream(
                Path.Combine(folder, $".{Guid.NewGuid():N}.partial"), FileMode.CreateNew, FileAccess.Write, FileShare.None, 1,
                FileOptions.DeleteOnClose);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new CliException($"{what}: nothing can be written to the folder {folder}.");
        }
    }
}
