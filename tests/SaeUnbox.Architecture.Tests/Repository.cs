namespace SaeUnbox.Architecture.Tests;

/// <summary>The folder that holds the sources these tests were built from.</summary>
internal static class Repository
{
    public static string Root { get; } = FindRoot();

    private static string FindRoot()
    {
        var above = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(above.FullName, "SaeUnbox.sln")))
            above = above.Parent!;
        return above.FullName;
    }
}
