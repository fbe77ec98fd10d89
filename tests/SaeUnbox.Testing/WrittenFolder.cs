namespace SaeUnbox.Testing;

/// <summary>
/// What our writers made of the goldens, for tests/check-written.py: in the folder that <c>SAEUNBOX_WRITTEN</c> names, else gone when
/// disposed.
/// </summary>
public sealed class WrittenFolder : IDisposable
{
    private readonly TemporaryFolder? _temporary;

    public WrittenFolder()
    {
        var named = Environment.GetEnvironmentVariable("SAEUNBOX_WRITTEN");
        _temporary = string.IsNullOrEmpty(named) ? new TemporaryFolder() : null;
        Path = _temporary?.Path ?? System.IO.Path.GetFullPath(named!);
    }

    public string Path { get; }

    /// <summary>A path inside the folder; the folder above it is made.</summary>
    public string At(string file)
    {
        var path = System.IO.Path.Combine(Path, file);
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
        return path;
    }

    public void Dispose() => _temporary?.Dispose();
}
