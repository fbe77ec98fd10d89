using System.Globalization;
using System.Text.Json;

namespace SaeUnbox.Models;

/// <summary>The kind of a checkpoint, or of a folder of checkpoints.</summary>
public enum CheckpointKind
{
    /// <summary>Tensors of an unknown model.</summary>
    Tensors,
    /// <summary>One tensor without a name, such as the means of an SAE's features.</summary>
    BareTensor,
    UNet,
    Autoencoder,
    TinyAutoencoder,
    TextEncoder,
    Tokenizer,
    Scheduler,
    SparseAutoencoder,
    /// <summary>A folder of sparse autoencoders, one per site.</summary>
    SparseAutoencoders,
    /// <summary>A folder with a model_index.json.</summary>
    Pipeline,
    /// <summary>Any other folder with checkpoints.</summary>
    Folder,
    /// <summary>A part of a folder that cannot be read; the title says why.</summary>
    Unknown,
    /// <summary>Parts of a model in one file.</summary>
    OneFile,
    /// <summary>What a LoRA, or another method of its kind, adds to a model.</summary>
    Lora,
}

/// <summary>A tensor as <c>inspect</c> lists it.</summary>
/// <param name="DType">The safetensors name, such as "F8_E4M3"; also for types that cannot be read.</param>
/// <param name="Strides">In elements; null for row-major.</param>
public sealed record TensorSummary(string Name, string DType, IReadOnlyList<long> Shape, IReadOnlyList<long>? Strides = null);

/// <summary>A description of a checkpoint file or a folder.</summary>
/// <param name="Title">A readable line, such as "U-Net (UNet2DConditionModel)".</param>
/// <param name="Format">The container format of its tensors; null if it has none.</param>
/// <param name="Tensors">All tensors, sorted by name.</param>
/// <param name="Facts">Configuration entries, header metadata, and saved values other than tensors.</param>
/// <param name="Parts">The components of a pipeline, autoencoders of a set, or files of a folder.</param>
public sealed record Inspection(
    string Path, CheckpointKind Kind, string Title, string? Format, IReadOnlyList<TensorSummary> Tensors,
    IReadOnlyDictionary<string, string> Facts, IReadOnlyList<Inspection> Parts)
{
    /// <summary>Number of values in all tensors, including those of the parts.</summary>
    public long Parameters =>
        Tensors.Sum(tensor => tensor.Shape.Aggregate(1L, (product, size) => product * size)) + Parts.Sum(part => part.Parameters);

    /// <summary>Describes a file or folder. Verifies headers and checksums, but loads no tensors.</summary>
    /// <param name="progress">Called with the file being verified and the fraction done. An exception from it stops the inspection.</param>
    /// <exception cref="CheckpointException">The path is missing, holds no known model or checkpoint, or a file is broken.</exception>
    public static Inspection Read(string path, Action<string, double>? progress = null) =>
        Directory.Exists(path) ? new FolderInspector(progress).Inspect(HubCache.Resolve(path)) : FileInspector.Inspect(path, progress);
}

/// <summary>Describes a checkpoint file or sharded set by the names of its tensors.</summary>
internal static class FileInspector
{
    private const int MaxFacts = 200;

    /// <summary>Tensor names that identify a kind of model. All names must be present; the first match counts.</summary>
    private static readonly (CheckpointKind Kind, string[] Names)[] Marks =
    [
        (CheckpointKind.SparseAutoencoder, ["encoder.weight", "decoder.weight", "pre_bias", "latent_bias"]),
        (CheckpointKind.UNet, ["conv_in.weight", "time_embedding.linear_1.weight", "conv_out.weight"]),
        (CheckpointKind.Autoencoder, ["encoder.conv_in.weight", "decoder.conv_in.weight"]),
        (CheckpointKind.TinyAutoencoder, ["encoder.layers.0.weight"]),
        (CheckpointKind.TextEncoder, ["text_model.embeddings.token_embedding.weight"]),
        (CheckpointKind.TextEncoder, ["embeddings.token_embedding.weight", "final_layer_norm.weight"]),
        (CheckpointKind.BareTensor, [""]),
    ];

    public static Inspection Inspect(string path, Action<string, double>? progress)
    {
        using var checkpoint = Checkpoint.Open(path);
        checkpoint.Verify(progress);
        string? around = null;
        var source = StateDicts.Unwrap(checkpoint, note => around = note);
        var kind = KindOf(source.Names.ToHashSet());
        var title = Title(kind);
        if (kind is CheckpointKind.Tensors or CheckpointKind.Autoencoder && OneFile.Find(checkpoint) is { IsOriginal: true } one)
            (kind, title) = (CheckpointKind.OneFile, $"{one.Model.Name} in the original layout, {one.Contents}");
        else if (kind == CheckpointKind.Tensors && LoraWeights.Describe(checkpoint) is { } lora)
            (kind, title) = (CheckpointKind.Lora, lora);
        var tensors = checkpoint.Entries.Keys.Order(StringComparer.Ordinal).Select(name => Summary(checkpoint.Locate(name))).ToList();
        var facts = new Dictionary<string, string>(checkpoint.Metadata);
        if (checkpoint is TorchFile file)
            AddValues(facts, file.Root, "");
        if (around is not null)
            facts["weights"] = around;
        return new Inspection(path, kind, title, checkpoint.Format, tensors, facts, []);
    }

    public static string Title(CheckpointKind kind) => kind switch
    {
        CheckpointKind.BareTensor => "a bare tensor",
        CheckpointKind.UNet => "U-Net",
        CheckpointKind.Autoencoder => "autoencoder",
        CheckpointKind.TinyAutoencoder => "tiny autoencoder",
        CheckpointKind.TextEncoder => "text encoder",
        CheckpointKind.Tokenizer => "tokenizer",
        CheckpointKind.Scheduler => "scheduler",
        CheckpointKind.SparseAutoencoder => "sparse autoencoder",
        CheckpointKind.SparseAutoencoders => "sparse autoencoders",
        CheckpointKind.Pipeline => "diffusers pipeline",
        CheckpointKind.Folder => "folder of checkpoints",
        _ => "tensors",
    };

    private static CheckpointKind KindOf(HashSet<string> present)
    {
        foreach (var (kind, names) in Marks)
            if (names.All(present.Contains))
                return kind;
        return CheckpointKind.Tensors;
    }

    private static TensorSummary Summary(StoredTensor stored)
    {
        var (name, element, shape) = stored.Entry;
        var isRowMajor = stored.Strides.SequenceEqual(StoredTensor.RowMajor(shape));
        return new TensorSummary(name, element.Name, shape, isRowMajor ? null : stored.Strides);
    }

    private static void AddValues(Dictionary<string, string> facts, object? value, string name)
    {
        if (facts.Count >= MaxFacts)
            return;
        switch (value)
        {
            case TensorEntry or null: break;
            case OrderedDictionary<string, object?> dictionary:
                foreach (var (key, item) in dictionary)
                    AddValues(facts, item, name.Length == 0 ? key : $"{name}.{key}");
                break;
            case List<object?> list:
                for (var i = 0; i < list.Count; i++)
                    AddValues(facts, list[i], $"{name}.{i}");
                break;
            default: facts[name] = Convert.ToString(value, CultureInfo.InvariantCulture)!; break;
        }
    }
}

/// <summary>Describes a folder by its configuration files: model_index.json, config.json, scheduler_config.json, vocab.json.</summary>
internal sealed class FolderInspector(Action<string, double>? progress)
{
    private const long MaxConfigurationLength = 16 << 20;
    private const int MaxParts = 200;
    private const int MaxDepth = 4;

    private static readonly string[] Endings = [".safetensors", ".sft", ".pt", ".pth", ".bin", ".ckpt", ".gguf"];

    public Inspection Inspect(string folder) => Find(folder, 0)
        ?? throw new CheckpointException($"The folder '{folder}' holds neither a model nor a checkpoint.");

    private Inspection? Find(string folder, int depth)
    {
        if (Has("model_index.json"))
            return Pipeline(folder);
        if (Has("scheduler_config.json"))
            return Plain(folder, CheckpointKind.Scheduler, "scheduler_config.json");
        if (Has("vocab.json") && Has("merges.txt") || Has("tokenizer.json") && !Has("config.json"))
            return Plain(folder, CheckpointKind.Tokenizer, "tokenizer_config.json");
        if (Has("config.json"))
            return Component(folder);
        if (Has(Path.Combine("final", "config.json")))
            return Component(Path.Combine(folder, "final"));
        return depth < MaxDepth ? Other(folder, depth) : null;

        bool Has(string name) => File.Exists(Path.Combine(folder, name));
    }

    private Inspection Pipeline(string folder)
    {
        var index = Configuration(Path.Combine(folder, "model_index.json"));
        var parts = Directory.EnumerateDirectories(folder).Order(StringComparer.Ordinal)
            .Where(part => index.ContainsKey(Path.GetFileName(part)))
                .Select(part => Part(part, () => Find(part, MaxDepth)))
                .OfType<Inspection>()
                .ToList();
        return new Inspection(folder, CheckpointKind.Pipeline, Titled(CheckpointKind.Pipeline, index), null, [], index, parts);
    }

    private static Inspection Plain(string folder, CheckpointKind kind, string configuration)
    {
        var path = Path.Combine(folder, configuration);
        var facts = File.Exists(path) ? Configuration(path) : [];
        return new Inspection(folder, kind, Titled(kind, facts), null, [], facts, []);
    }

    /// <summary>Describes a model folder, or the folder of one sparse autoencoder with its statistics.</summary>
    private Inspection Component(string folder)
    {
        var facts = Configuration(Path.Combine(folder, "config.json"));
        if (!facts.ContainsKey("n_dirs_local"))
        {
            var weights = FileInspector.Inspect(WeightFiles.Find(folder, preferHalf: false), progress);
            return weights with { Path = folder, Title = Titled(weights.Kind, facts), Facts = Merged(weights.Facts, facts) };
        }
        var files = Checkpoints(folder)
            .Select(path => Part(path, () => FileInspector.Inspect(path, progress)))
            .OfType<Inspection>()
            .ToList();
        var state = files.Find(file => file.Kind == CheckpointKind.SparseAutoencoder)
            ?? throw new CheckpointException($"The folder '{folder}' has the configuration of a sparse autoencoder, but not its weights.");
        files.Remove(state);
        return state with { Path = folder, Facts = Merged(state.Facts, facts), Parts = files };
    }

    private Inspection? Other(string folder, int depth)
    {
        var inner = Directory.EnumerateDirectories(folder).Order(StringComparer.Ordinal).Take(MaxParts)
            .Select(part => Part(part, () => Find(part, depth + 1))).OfType<Inspection>().ToList();
        var files = Checkpoints(folder).Take(MaxParts).Select(path => Part(path, () => FileInspector.Inspect(path, progress)))
            .OfType<Inspection>().ToList();
        if (inner.Count + files.Count == 0)
            return null;
        var kind = files.Count == 0 && inner.TrueForAll(part => part.Kind == CheckpointKind.SparseAutoencoder)
            ? CheckpointKind.SparseAutoencoders : CheckpointKind.Folder;
        return new Inspection(folder, kind, FileInspector.Title(kind), null, [], new Dictionary<string, string>(), [.. inner, .. files]);
    }

    /// <summary>A part that cannot be read is listed with the reason, and the others follow.</summary>
    private static Inspection? Part(string path, Func<Inspection?> inspect)
    {
        try
        {
            return inspect();
        }
        catch (CheckpointException exception)
        {
            return new Inspection(path, CheckpointKind.Unknown, $"unknown: {exception.Message.TrimEnd('.')}", null, [],
                new Dictionary<string, string>(), []);
        }
    }

    private static IEnumerable<string> Checkpoints(string folder) => Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal)
        .Where(path => Endings.Contains(Path.GetExtension(path), StringComparer.OrdinalIgnoreCase));

    private static string Titled(CheckpointKind kind, Dictionary<string, string> facts) =>
        (facts.GetValueOrDefault("_class_name") ?? facts.GetValueOrDefault("architectures")) is { } name
            ? $"{FileInspector.Title(kind)} ({name})" : FileInspector.Title(kind);

    private static Dictionary<string, string> Merged(IReadOnlyDictionary<string, string> one, Dictionary<string, string> other)
    {
        var merged = new Dictionary<string, string>(other);
        foreach (var (key, value) in one)
            merged.TryAdd(key, value);
        return merged;
    }

    /// <summary>The entries of a configuration: strings and one-element lists as plain text, everything else as JSON.</summary>
    private static Dictionary<string, string> Configuration(string path)
    {
        using var file = SourceFile.Open(path);
        if (file.Length > MaxConfigurationLength)
            throw file.Broken($"a configuration of {file.Length} bytes is too long");
        var bytes = new byte[file.Length];
        file.ReadExactly(0, bytes);
        try
        {
            using var json = JsonDocument.Parse(bytes);
            return json.RootElement.EnumerateObject().GroupBy(entry => entry.Name)
                .ToDictionary(group => group.Key, group => Text(group.Last().Value));
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            throw file.Broken("it is not a JSON object", exception);
        }
    }

    private static string Text(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => value.GetString()!,
        JsonValueKind.Array when value.GetArrayLength() == 1 => Text(value[0]),
        _ => JsonSerializer.Serialize(value),
    };
}
