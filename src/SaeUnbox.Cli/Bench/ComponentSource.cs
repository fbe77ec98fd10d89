using System.Text.Json;
using SaeUnbox.Cli.Options;

namespace SaeUnbox.Cli.Bench;

/// <summary>Where a benchmark takes a model's parts from: a folder, or an architecture with random weights.</summary>
internal abstract class ComponentSource
{
    // Drawing all 2.6 billion values of a U-Net takes longer than everything measured; a part of them, repeated, times the same.
    private const long DrawnValues = 1 << 22;

    public abstract string Name { get; }

    /// <summary>The configuration and weights of a part such as <c>unet</c>; null where there is no such part.</summary>
    public abstract (JsonConfig Config, IWeightSource Weights)? Find(string part);

    public static ComponentSource Folder(string path) => Directory.Exists(path) ? new FolderSource(path) : throw new CliException($"--model {path}: there is no such folder.");

    /// <exception cref="CliException">No architecture has this name.</exception>
    public static ComponentSource Architecture(string name)
    {
        const string prefix = "SaeUnbox.Cli.Bench.Architectures.";
        var assembly = typeof(ComponentSource).Assembly;
        var known = assembly.GetManifestResourceNames().Where(resource => resource.StartsWith(prefix, StringComparison.Ordinal)).Select(resource => resource[prefix.Length..^".json".Length]);
        using var stream = assembly.GetManifestResourceStream($"{prefix}{Word.Among("--architecture", name, [.. known])}.json")!;
        return new ArchitectureSource(name, JsonDocument.Parse(stream).RootElement);
    }

    private sealed class FolderSource(string path) : ComponentSource
    {
        public override string Name => path;

        public override (JsonConfig, IWeightSource)? Find(string part)
        {
            var places = part == "vae_tiny" ? Autoencoder.TinyFolders(path) : [Path.Combine(path, part)];
            if (places.FirstOrDefault(Directory.Exists) is not { } folder) return null;
            return (JsonConfig.Load(Path.Combine(folder, "config.json")), RenamedSource.WithPresentAttentionNames(Checkpoint.OpenFolder(folder)));
        }
    }

    private sealed class ArchitectureSource(string name, JsonElement parts) : ComponentSource
    {
        public override string Name => $"{name} (random weights)";

        public override (JsonConfig, IWeightSource)? Find(string part)
        {
            if (!parts.TryGetProperty(part, out var config)) return null;
            // Only the second text encoder has a projection.
            Func<string, bool>? absent = part == "text_encoder" ? key => key.StartsWith("text_projection", StringComparison.Ordinal) : null;
            return (JsonConfig.Parse(config.GetRawText(), $"{name}/{part}"), new RandomWeights(1, absent) { Drawn = DrawnValues });
        }
    }
}
