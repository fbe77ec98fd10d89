namespace SaeUnbox.Cli.Download;

/// <summary>A file of a model repository.</summary>
/// <param name="Path">Path in the repository, with slashes.</param>
/// <param name="Size">In bytes.</param>
/// <param name="Sha256">Hash of the content of a large file; null for small files, which have only <paramref name="GitId"/>.</param>
/// <param name="GitId">SHA-1 of the git blob, that is of "blob SIZE\0" and the content.</param>
internal sealed record HubFile(string Path, long Size, string? Sha256, string GitId);
