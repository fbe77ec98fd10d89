using System.Text.Json;

namespace SaeUnbox.Models;

/// <summary>Describes a folder by the files that tell what it is: model_index.json, config.json, scheduler_config.json, vocab.json.</summary>
internal sealed class FolderInspector(Action<string, double>? progress)
{
    private const long LongestConfiguration = 16 << 20;
    private const int MostParts = 200;
    private const int Deepest = 4;

    private static readonly string[] Endings = [".safetensors", ".pt", ".pth", ".bin"];

    public Inspection Inspect(string folder) => Find(folder, 0)
        ?? throw new CheckpointException($"The folder '{folder}' holds neither a model nor a checkpoint.");

    private Inspection? Find(string folder, int depth)
    {
        if (Has("model_index.json")) return Pipeline(folder);
        if (Has("scheduler_config.json")) return Plain(folder, CheckpointKind.Scheduler, "scheduler_config.json");
        if (Has("vocab.json") && Has("merges.txt")) return Plain(folder, CheckpointKind.Tokenizer, "tokenizer_config.json");
        if (Has("config.json")) return Component(folder);
        if (Has(Path.Combine("final", "config.json"))) return Component(Path.Combine(folder, "final"));
        return depth < Deepest ? Other(folder, depth) : null;

        bool Has(string name) => File.Exists(Path.Combine(folder, name));
    }

    private Inspection Pipeline(string folder)
    {
        var index = Configuration(Path.Combine(folder, "model_index.json"));
        var parts = Directory.EnumerateDirectories(folder).Order(StringComparer.Ordinal)
            .Where(part => index.ContainsKey(Path.GetFileName(part))).Select(part => Find(part, Deepest)).OfType<Inspection>().ToList();
        return new Inspection(folder, CheckpointKind.Pipeline, Titled(CheckpointKind.Pipeline, index), null, [], index, parts);
    }

    private static Inspection Plain(string folder, CheckpointKind kind, string configuration)
    {
        var path = Path.Combine(folder, configuration);
        var facts = File.Exists(path) ? Configuration(path) : [];
        return new Inspection(folder, kind, Titled(kind, facts), null, [], facts, []);
    }

    /// <summary>A model folder, or the folder of one sparse autoencoder with its statistics beside it.</summary>
    private Inspection Component(string folder)
    {
        var facts = Configuration(Path.Combine(folder, "config.json"));
        if (!facts.ContainsKey("n_dirs_local"))
        {
            var weights = FileInspector.Inspect(CheckpointFormat.FindWeights(folder, preferHalf: false), progress);
            return weights with { Path = folder, Title = Titled(weights.Kind, facts), Facts = Merged(weights.Facts, facts) };
        }
        var files = Checkpoints(folder).Select(path => FileInspector.Inspect(path, progress)).ToList();
        var state = files.Find(file => file.Kind == CheckpointKind.SparseAutoencoder)
            ?? throw new CheckpointException($"The folder '{folder}' has the configuration of a sparse autoencoder, but not its weights.");
        files.Remove(state);
        return state with { Path = folder, Facts = Merged(state.Facts, facts), Parts = files };
    }

    private Inspection? Other(string folder, int depth)
    {
        var inner = Directory.EnumerateDirectories(folder).Order(StringComparer.Ordinal).Take(MostParts)
            .Select(part => Find(part, depth + 1)).OfType<Inspection>().ToList();
        var files = Checkpoints(folder).Take(MostParts).Select(path => FileInspector.Inspect(path, progress)).ToList();
        if (inner.Count + files.Count == 0) return null;
        var kind = files.Count == 0 && inner.TrueForAll(part => part.Kind == CheckpointKind.SparseAutoencoder)
            ? CheckpointKind.SparseAutoencoders : CheckpointKind.Folder;
        return new Inspection(folder, kind, FileInspector.Title(kind), null, [], new Dictionary<string, string>(), [.. inner, .. files]);
    }

    private static IEnumerable<string> Checkpoints(string folder) => Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal)
        .Where(path => Endings.Contains(Path.GetExtension(path), StringComparer.OrdinalIgnoreCase));

    private static string Titled(CheckpointKind kind, Dictionary<string, string> facts) =>
        (facts.GetValueOrDefault("_class_name") ?? facts.GetValueOrDefault("architectures")) is { } name
            ? $"{FileInspector.Title(kind)} ({name})" : FileInspector.Title(kind);

    private static Dictionary<string, string> Merged(IReadOnlyDictionary<string, string> one, Dictionary<string, string> other)
    {
        var merged = new Dictionary<string, string>(other);
        foreach (var (key, value) in one) merged.TryAdd(key, value);
        return merged;
    }

    /// <summary>The entries of a configuration as text: lists of one text without their brackets, everything else as its JSON.</summary>
    private static Dictionary<string, string> Configuration(string path)
    {
        using var file = SourceFile.Open(path);
        if (file.Length > LongestConfiguration) throw file.Broken($"a configuration of {file.Length} bytes is too long");
        var bytes = new byte[file.Length];
        file.ReadExactly(0, bytes);
        try
        {
            using var json = JsonDocument.Parse(bytes);
            return json.RootElement.EnumerateObject().GroupBy(entry => entry.Name).ToDictionary(group => group.Key, group => Text(group.Last().Value));
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            throw file.Broken("it is no JSON object", exception);
        }
    }

    private static string Text(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => value.GetString()!,
        JsonValueKind.Array when value.GetArrayLength() == 1 => Text(value[0]),
        _ => JsonSerializer.Serialize(value),
    };
}
