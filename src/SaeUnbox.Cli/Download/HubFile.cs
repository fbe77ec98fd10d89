namespace SaeUnbox.Cli.Download;

/// <summary>A file of a model repository.</summary>
/// <param name="Path">Its path in the repository, with slashes.</param>
/// <param name="Size">Its bytes.</param>
/// <param name="Sha256">Of its bytes, for large files; null where the hub keeps only <paramref name="GitId"/>.</param>
/// <param name="GitId">SHA-1 of a git blob: of "blob SIZE\0" and the bytes.</param>
internal sealed record HubFile(string Path, long Size, string? Sha256, string GitId);
