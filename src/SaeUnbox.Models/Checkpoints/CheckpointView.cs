namespace SaeUnbox.Models;

/// <summary>
/// Tensors of an open checkpoint under other names, and as slices, transposes or reshapes of what is stored. It copies nothing: each tensor
/// is read from its place in the file.
/// </summary>
/// <param name="checkpoint">The file. The view does not own it.</param>
/// <param name="owner">Disposed with the view; null for nothing.</param>
internal sealed class CheckpointView(Checkpoint checkpoint, IReadOnlyList<StoredTensor> tensors, IDisposable? owner = null)
    : Checkpoint(checkpoint.Path, checkpoint.Format, tensors, owner is null ? [] : [owner])
{
    /// <summary>The same view, which disposes an owner of the file with itself.</summary>
    public CheckpointView Owning(IDisposable resource) => new(checkpoint, [.. Entries.Keys.Select(Locate)], resource);

    public override IReadOnlyDictionary<string, string> Metadata => checkpoint.Metadata;
}

/// <summary>Describes parts and other forms of a stored tensor.</summary>
internal static class StoredTensorForms
{
    public static StoredTensor Named(this StoredTensor stored, string name) => stored with { Entry = stored.Entry with { Name = name } };

    /// <summary>Rows from <paramref name="first"/> on: [R, …] to [count, …].</summary>
    public static StoredTensor Rows(this StoredTensor stored, long first, long count) => stored with
    {
        Entry = stored.Entry with { Shape = [count, .. stored.Entry.Shape[1..]] },
        Position = stored.Position + first * stored.Strides[0] * stored.Entry.Element.Bytes,
    };

    /// <summary>[A, B] to [B, A].</summary>
    public static StoredTensor Transposed(this StoredTensor stored) => stored with
    {
        Entry = stored.Entry with { Shape = [stored.Entry.Shape[1], stored.Entry.Shape[0]] },
        Strides = [stored.Strides[1], stored.Strides[0]],
    };

    /// <summary>The kernel of a 1x1 convolution as a matrix: [A, B, 1, 1] to [A, B]. Other shapes stay as they are.</summary>
    public static StoredTensor AsMatrix(this StoredTensor stored) => stored.Entry.Shape is [_, _, 1, 1]
        ? stored with { Entry = stored.Entry with { Shape = stored.Entry.Shape[..2] }, Strides = stored.Strides[..2] }
        : stored;
}
