namespace SaeUnbox.Testing;

/// <summary>A fresh folder that is gone, with all in it, when disposed.</summary>
public sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("saeunbox-").FullName;

    /// <summary>A path inside the folder.</summary>
    public string At(params string[] parts) => System.IO.Path.Combine([Path, .. parts]);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
