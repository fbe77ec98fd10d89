using System.Globalization;

namespace SaeUnbox.Models;

/// <summary>Describes one checkpoint file, or sharded set, by its tensors' names.</summary>
internal static class FileInspector
{
    private const int MostFacts = 200;

    /// <summary>Names that only one kind of model has, all of them needed; the first that fits counts.</summary>
    private static readonly (CheckpointKind Kind, string[] Names)[] Marks =
    [
        (CheckpointKind.SparseAutoencoder, ["encoder.weight", "decoder.weight", "pre_bias", "latent_bias"]),
        (CheckpointKind.UNet, ["conv_in.weight", "time_embedding.linear_1.weight", "conv_out.weight"]),
        (CheckpointKind.Autoencoder, ["encoder.conv_in.weight", "decoder.conv_in.weight"]),
        (CheckpointKind.TinyAutoencoder, ["encoder.layers.0.weight"]),
        (CheckpointKind.TextEncoder, ["text_model.embeddings.token_embedding.weight"]),
        (CheckpointKind.BareTensor, [""]),
    ];

    public static Inspection Inspect(string path, Action<string, double>? progress)
    {
        using var checkpoint = Checkpoint.Open(path);
        checkpoint.Verify(progress);
        var kind = KindOf(checkpoint.Entries);
        var tensors = checkpoint.Entries.Keys.Order(StringComparer.Ordinal).Select(name => Summary(checkpoint.Locate(name))).ToList();
        var facts = new Dictionary<string, string>(checkpoint.Metadata);
        if (checkpoint is TorchFile file) AddValues(facts, file.Root, "");
        return new Inspection(path, kind, Title(kind), checkpoint.Format, tensors, facts, []);
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

    private static CheckpointKind KindOf(IReadOnlyDictionary<string, TensorEntry> entries)
    {
        foreach (var (kind, names) in Marks)
            if (names.All(name => entries.ContainsKey(name) || name.Length > 0 && entries.ContainsKey($"state_dict.{name}"))) return kind;
        return CheckpointKind.Tensors;
    }

    private static TensorSummary Summary(StoredTensor stored)
    {
        var (name, element, shape) = stored.Entry;
        return new TensorSummary(name, element.Name, shape, stored.Strides.SequenceEqual(StoredTensor.RowMajor(shape)) ? null : stored.Strides);
    }

    private static void AddValues(Dictionary<string, string> facts, object? value, string name)
    {
        if (facts.Count >= MostFacts) return;
        switch (value)
        {
            case TensorEntry or null: break;
            case OrderedDictionary<string, object?> dictionary:
                foreach (var (key, item) in dictionary) AddValues(facts, item, name.Length == 0 ? key : $"{name}.{key}");
                break;
            case List<object?> list:
                for (var i = 0; i < list.Count; i++) AddValues(facts, list[i], $"{name}.{i}");
                break;
            default: facts[name] = Convert.ToString(value, CultureInfo.InvariantCulture)!; break;
        }
    }
}
