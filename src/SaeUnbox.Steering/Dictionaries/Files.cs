namespace SaeUnbox.Steering;

/// <summary>File operations whose failure is told in one sentence.</summary>
internal static class Files
{
    public static void CreateFolder(string path) => Try(path, "created", () => Directory.CreateDirectory(path));

    public static void Append(string path, string text) => Try(path, "written", () => File.AppendAllText(path, text));

    private static void Try(string path, string verb, Action action)
    {
        try
        {
            action();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SaeException($"{path}: could not be {verb} ({e.Message})", e);
        }
    }
}
