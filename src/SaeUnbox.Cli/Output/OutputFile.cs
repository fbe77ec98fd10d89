using SaeUnbox.Checkpoints;

namespace SaeUnbox.Cli.Output;

/// <summary>Files a command makes: whole, or not at all.</summary>
internal static class OutputFile
{
    /// <summary>Looks, before any long work, whether a file could be written.</summary>
    /// <exception cref="CliException">The path is a folder, or lies in none.</exception>
    public static void Require(string path, string option)
    {
        if (path.Length == 0 || Directory.Exists(path)) throw new CliException($"{option} {path}: that is a folder; a file's name is expected.");
        var folder = Path.GetDirectoryName(Path.GetFullPath(path));
        if (folder is not null && !Directory.Exists(folder)) throw new CliException($"{option} {path}: the folder {folder} is missing.");
    }

    public static void Write(string path, byte[] bytes) => AtomicFile.Write(path, stream => stream.Write(bytes));
}
