namespace SaeUnbox.Models;

/// <summary>
/// Names of modules in two layouts: that of diffusers' folders, and the original one of one-file checkpoints. A tensor takes the name of
/// its innermost listed module; the rest of its name is the same in both layouts.
/// </summary>
internal sealed class NameMap
{
    private readonly Dictionary<string, string> _toFolder = [], _toFile = [];

    public void Add(string folder, string file)
    {
        _toFolder[file] = folder;
        _toFile[folder] = file;
    }

    /// <summary>The name in a folder; the name itself if no module of it is listed.</summary>
    public string ToFolder(string name) => Map(_toFolder, name);

    /// <summary>The name in a file; the name itself if no module of it is listed.</summary>
    public string ToFile(string name) => Map(_toFile, name);

    private static string Map(Dictionary<string, string> modules, string name)
    {
        for (var end = name.Length; end > 0; end = name.LastIndexOf('.', end - 1))
        {
            if (modules.TryGetValue(name[..end], out var module))
                return module + name[end..];
        }

        return name;
    }
}
