namespace SaeUnbox.Cli.Output;

/// <summary>Files and folders a command makes: whole, or not at all.</summary>
internal static class OutputFile
{
    /// <summary>Looks, before any long work, whether a file could be written.</summary>
    /// <exception cref="CliException">The path is a folder, or lies in none that may be written to.</exception>
    public static void Require(string path, string option)
    {
        if (path.Length == 0) throw new CliException($"{option}: a file's name is expected.");
        if (Directory.Exists(path)) throw new CliException($"{option} {path}: that is a folder; a file's name is expected.");
        if (AtomicFile.FolderOf(path) is not { } folder) return;
        if (!Directory.Exists(folder)) throw new CliException($"{option} {path}: the folder {folder} is missing.");
        RequireWritable(folder, $"{option} {path}");
    }

    /// <summary>Looks, before any long work, whether a folder could be made or filled.</summary>
    /// <exception cref="CliException">The path is a file, or nothing may be written there.</exception>
    public static void RequireFolder(string path, string option)
    {
        if (path.Length == 0) throw new CliException($"{option}: a folder's name is expected.");
        if (File.Exists(path)) throw new CliException($"{option} {path}: that is a file; a folder is expected.");
        var existing = Path.GetFullPath(path);
        while (!Directory.Exists(existing))
        {
            if (File.Exists(existing)) throw new CliException($"{option} {path}: {existing} is a file.");
            existing = Path.GetDirectoryName(existing)!;
        }
        RequireWritable(existing, $"{option} {path}");
    }

    /// <summary>The pictures right in a folder; none where there is no such folder.</summary>
    public static IEnumerable<string> Pictures(string folder) => Directory.Exists(folder) ? Directory.EnumerateFiles(folder, "*.png") : [];

    public static void Write(string path, byte[] bytes) => AtomicFile.WriteAllBytes(path, bytes);

    /// <summary>Fills a folder by way of one aside, so that a failure leaves what was there before; files of the same names are replaced.</summary>
    /// <param name="path">The folder; it and those above it are made where they are missing.</param>
    /// <param name="fill">Writes into the folder it is given.</param>
    /// <param name="earlier">What an earlier run made there; of it, files that this one does not make are removed.</param>
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
            var files = Directory.GetFiles(aside, "*", SearchOption.AllDirectories).ToDictionary(file => Path.Combine(target, Path.GetRelativePath(aside, file)));
            foreach (var stale in earlier.Select(Path.GetFullPath).Except(files.Keys).ToArray()) Remove(stale);
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
            if (Directory.Exists(aside)) Directory.Delete(aside, recursive: true);
        }
    }

    // Its folder goes with its last file.
    private static void Remove(string file)
    {
        File.Delete(file);
        var folder = Path.GetDirectoryName(file)!;
        if (!Directory.EnumerateFileSystemEntries(folder).Any()) Directory.Delete(folder);
    }

    private static void RequireWritable(string folder, string what)
    {
        try
        {
            using var probe = new FileStream(
                Path.Combine(folder, $".{Guid.NewGuid():N}.partial"), FileMode.CreateNew, FileAccess.Write, FileShare.None, 1, FileOptions.DeleteOnClose);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new CliException($"{what}: nothing can be written to the folder {folder}.");
        }
    }
}
