namespace SaeUnbox.Models;

/// <summary>
/// The cache folder of the Hugging Face hub: <c>models--OWNER--NAME</c> holds <c>refs/BRANCH</c> with the name of a revision, and the
/// files of each revision in <c>snapshots/REVISION</c>.
/// </summary>
public static class HubCache
{
    private const string Prefix = "models--", Separator = "--", Snapshots = "snapshots", Refs = "refs", MainBranch = "main";
    private const int MaxRevisionLength = 200;

    /// <summary>The snapshot that a cache folder stands for; any other folder as it is.</summary>
    /// <exception cref="ModelException">The cache folder has no snapshot, or does not say which one is meant.</exception>
    public static string Resolve(string folder)
    {
        var snapshots = Path.Combine(folder, Snapshots);
        if (!Path.GetFileName(Full(folder)).StartsWith(Prefix, StringComparison.Ordinal) || !Directory.Exists(snapshots))
            return folder;
        var present = Directory.EnumerateDirectories(snapshots).Order(StringComparer.Ordinal).ToList();
        if (present.Count == 0)
            throw new ModelException($"{folder} is a cache folder of the hub without a snapshot; download the model again.");
        var refs = Path.Combine(folder, Refs);
        var branches = Directory.Exists(refs)
            ? Directory.EnumerateFiles(refs, "*", SearchOption.AllDirectories).ToList() : [];
        var branch = branches.Find(path => Path.GetRelativePath(refs, path) == MainBranch) ?? (branches.Count == 1 ? branches[0] : null);
        if (branch is not null)
        {
            var revision = TextFile.Read(branch, MaxRevisionLength).Trim();
            return present.Find(path => Path.GetFileName(path) == revision) ?? throw new ModelException(
                $"{branch} names the snapshot {revision}, which is missing; download the model again, or name one of "
                + $"{string.Join(", ", present)}.");
        }
        return present is [var only]
            ? only
            : throw new ModelException($"{folder} has several snapshots and no refs/main; name one of {string.Join(", ", present)}.");
    }

    /// <summary>
    /// The name of the repository, without its owner, if the folder is a cache folder or one of its snapshots; otherwise null.
    /// </summary>
    public static string? RepositoryOf(string folder)
    {
        var full = Full(folder);
        var parent = Path.GetDirectoryName(full);
        if (Path.GetFileName(parent) == Snapshots)
            full = Path.GetDirectoryName(parent)!;
        var name = Path.GetFileName(full);
        return name.StartsWith(Prefix, StringComparison.Ordinal) && Directory.Exists(Path.Combine(full, Snapshots))
            ? name.Split(Separator)[^1] : null;
    }

    private static string Full(string folder) => Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
}
