namespace SaeUnbox.Models;

/// <summary>
/// A file written by <c>torch.save</c>, read as data only: its pickle may name nothing but tensors, dictionaries, lists, numbers and
/// texts. The storage's device ("cuda:0") does not matter.
/// </summary>
public sealed class TorchFile : Checkpoint
{
    private TorchFile(SourceFile file, string format, object? root, IReadOnlyList<StoredTensor> tensors) : base(file.Path, format, tensors, [file]) =>
        Root = root;

    /// <summary>
    /// The saved value: null, bool, long, double, string, <see cref="TensorEntry"/> (read it by its name),
    /// <c>List&lt;object?&gt;</c> for lists and tuples, or <c>OrderedDictionary&lt;string, object?&gt;</c>.
    /// </summary>
    public object? Root { get; }

    internal static TorchFile OpenZip(SourceFile file)
    {
        var archive = new TorchArchive(file);
        return Build(file, "PyTorch zip", archive.ReadValue());
    }

    internal static TorchFile OpenLegacy(SourceFile file) => Build(file, "PyTorch legacy", LegacyTorch.ReadValue(file));

    private static TorchFile Build(SourceFile file, string format, object? value)
    {
        var tree = new TorchTree(file);
        var root = tree.Convert(value);
        return new TorchFile(file, format, root, tree.Tensors);
    }
}
