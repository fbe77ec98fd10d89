using SaeUnbox.Testing;

namespace SaeUnbox.Models.Tests;

/// <summary>The small model of the golden folder, to be changed.</summary>
internal static class ModelCopy
{
    public static void To(string target)
    {
        var source = Goldens.At("model");
        foreach (var file in Directory.EnumerateFiles(source, "*", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(target, Path.GetRelativePath(source, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
    }
}
