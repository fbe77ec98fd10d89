namespace SaeUnbox.Testing;

/// <summary>The source tree of these tests.</summary>
public static class Repository
{
    public static string Root { get; } = Find();

    private static string Find()
    {
        var above = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(above.FullName, "deploy", "run.sh")))
            above = above.Parent!;
        return above.FullName;
    }
}
