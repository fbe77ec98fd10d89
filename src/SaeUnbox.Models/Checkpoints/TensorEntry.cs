using TorchSharp;

namespace SaeUnbox.Models;

/// <summary>A tensor of a checkpoint as its header describes it; no data is read for it.</summary>
/// <param name="Name">Full name in the file; keys of nested dictionaries are joined by dots, a bare tensor's name is empty.</param>
/// <param name="Element">Type of the stored elements.</param>
/// <param name="Shape">Sizes of the axes; empty for a scalar.</param>
public sealed record TensorEntry(string Name, ElementType Element, long[] Shape)
{
    /// <summary>The shape of an entry that takes any shape, as random weights do.</summary>
    public static readonly long[] AnyShape = [-1];

    public TensorEntry(string name, torch.ScalarType dtype, long[] shape) : this(name, ElementType.Of(dtype), shape) { }

    /// <exception cref="CheckpointException">The type cannot be read (complex numbers, floats of less than 8 bits).</exception>
    public torch.ScalarType DType => Element.ScalarType
        ?? throw new CheckpointException($"Tensor '{Name}' is of type {Element.Name}, which cannot be read here; convert the file to F32, F16 or BF16.");

    /// <summary>Number of elements.</summary>
    public long Count => Shape.Aggregate(1L, (product, size) => checked(product * size));

    /// <summary>Whether a tensor of this shape can be filled from the entry.</summary>
    public bool Fits(ReadOnlySpan<long> shape) => ReferenceEquals(Shape, AnyShape) || shape.SequenceEqual(Shape);
}
