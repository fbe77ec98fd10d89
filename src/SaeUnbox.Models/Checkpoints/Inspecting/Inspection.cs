namespace SaeUnbox.Models;

/// <summary>What a checkpoint or a folder of checkpoints turns out to be.</summary>
public enum CheckpointKind
{
    /// <summary>Tensors of no known model.</summary>
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
    /// <summary>A folder of sparse autoencoders, one for each site.</summary>
    SparseAutoencoders,
    /// <summary>A folder with a model_index.json.</summary>
    Pipeline,
    /// <summary>A folder of any other files, some of them checkpoints.</summary>
    Folder,
}

/// <summary>A tensor as <c>inspect</c> lists it.</summary>
/// <param name="DType">As safetensors names it, also where it cannot be read ("F8_E4M3").</param>
/// <param name="Strides">In elements; null where row-major.</param>
public sealed record TensorSummary(string Name, string DType, IReadOnlyList<long> Shape, IReadOnlyList<long>? Strides = null);

/// <summary>A description of a checkpoint file or a folder: what it is, what it holds, and its parts.</summary>
/// <param name="Path">The file or folder.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Title">One line for people, such as "U-Net (UNet2DConditionModel)".</param>
/// <param name="Format">The container of its tensors; null where it has none.</param>
/// <param name="Tensors">Every tensor, by name.</param>
/// <param name="Facts">Entries of its configuration, texts of its header, and saved values that are no tensors.</param>
/// <param name="Parts">The components of a pipeline, the autoencoders of a set, the files of a folder.</param>
public sealed record Inspection(
    string Path, CheckpointKind Kind, string Title, string? Format, IReadOnlyList<TensorSummary> Tensors,
    IReadOnlyDictionary<string, string> Facts, IReadOnlyList<Inspection> Parts)
{
    /// <summary>Number of values of all tensors, those of the parts too.</summary>
    public long Parameters => Tensors.Sum(tensor => tensor.Shape.Aggregate(1L, (product, size) => product * size)) + Parts.Sum(part => part.Parameters);

    /// <summary>Describes a file or folder. Headers and checksums are checked; no tensor is loaded.</summary>
    /// <param name="progress">Told which file is being checked and the share of it that is done; what it throws ends the inspection.</param>
    /// <exception cref="CheckpointException">There is nothing, nothing known, or something broken.</exception>
    public static Inspection Of(string path, Action<string, double>? progress = null) =>
        Directory.Exists(path) ? new FolderInspector(progress).Inspect(path) : FileInspector.Inspect(path, progress);
}
