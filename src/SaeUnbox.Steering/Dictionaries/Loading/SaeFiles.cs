namespace SaeUnbox.Steering;

/// <summary>The files of one sparse autoencoder, wherever they lie.</summary>
/// <param name="Weights">A checkpoint with its tensors.</param>
/// <param name="Config">Its <c>config.json</c>.</param>
/// <param name="Folder">Where <c>mean.pt</c> and <c>std.pt</c> would be.</param>
internal sealed record SaeFiles(string Weights, string Config, string Folder)
{
    private const string ConfigName = "config.json";

    // In order of preference; the second is what is written for programs that read no pickles.
    private static readonly string[] WeightNames = ["state_dict.pth", "model.safetensors", "state_dict.safetensors", "state_dict.pt"];

    /// <summary>
    /// Finds the files from a folder that holds them, its parent (they then lie in <c>final</c>), or a checkpoint with
    /// <c>NAME.config.json</c> or <c>config.json</c> beside it.
    /// </summary>
    public static SaeFiles Find(string path)
    {
        if (File.Exists(path))
            return FromFile(path);
        if (!Directory.Exists(path))
            throw new SaeException($"{path}: there is no such file or folder.");
        return TryFolder(path)
            ?? TryFolder(Path.Combine(path, "final"))
            ?? throw new SaeException(
                $"{path}: no sparse autoencoder is here or in final/ ({ConfigName} with {WeightNames[0]} or {WeightNames[1]}).");
    }

    /// <summary>Whether the folder itself holds an autoencoder.</summary>
    public static SaeFiles? TryFolder(string folder)
    {
        var config = Path.Combine(folder, ConfigName);
        var weights = WeightNames.Select(name => Path.Combine(folder, name)).FirstOrDefault(File.Exists);
        return weights is not null && File.Exists(config) ? new SaeFiles(weights, config, folder) : null;
    }

    private static SaeFiles FromFile(string path)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        var own = Path.Combine(folder, Path.GetFileNameWithoutExtension(path) + "." + ConfigName);
        var shared = Path.Combine(folder, ConfigName);
        var config = File.Exists(own) ? own
            : File.Exists(shared) ? shared
            : throw new SaeException($"{path}: neither {Path.GetFileName(own)} nor {ConfigName} lies beside it.");
        return new SaeFiles(path, config, folder);
    }
}
