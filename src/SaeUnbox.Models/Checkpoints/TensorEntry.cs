using TorchSharp;

namespace SaeUnbox.Models;

/// <summary>The description of a tensor in a checkpoint's header.</summary>
/// <param name="Name">Full name. Keys of nested dictionaries are joined by dots; a bare tensor has an empty name.</param>
/// <param name="Shape">Empty for a scalar.</param>
public sealed record TensorEntry(string Name, ElementType Element, long[] Shape)
{
    /// <summary>The shape of an entry that fits every shape, as in random weights.</summary>
    public static readonly long[] AnyShape = [-1];

    /// <exception cref="CheckpointException">The type is not supported (complex numbers, floats of less than 8 bits).</exception>
    public torch.ScalarType DType => Element.ScalarType
        ?? throw new CheckpointException(
            $"Tensor '{Name}' is of type {Element.Name}, which is not supported; convert the file to F32, F16 or BF16.");

    public long Count => Shape.Aggregate(1L, (product, size) => checked(product * size));

    /// <summary>Whether a tensor of this shape can be filled from the entry.</summary>
    public bool Fits(ReadOnlySpan<long> shape) => ReferenceEquals(Shape, AnyShape) || shape.SequenceEqual(Shape);
}

/// <summary>The type of a stored tensor's elements.</summary>
/// <param name="Name">The safetensors name, such as "F16".</param>
/// <param name="Bits">Size of one element; may be less than a byte.</param>
/// <param name="ScalarType">
/// The type that it is read as, which can hold all its values (for U64, those below 2^63). Null if it can be listed but not read.
/// </param>
public sealed record ElementType(string Name, int Bits, torch.ScalarType? ScalarType)
{
    public static readonly ElementType F64 = new("F64", 64, torch.ScalarType.Float64);
    public static readonly ElementType F32 = new("F32", 32, torch.ScalarType.Float32);
    public static readonly ElementType F16 = new("F16", 16, torch.ScalarType.Float16);
    public static readonly ElementType BF16 = new("BF16", 16, torch.ScalarType.BFloat16);
    public static readonly ElementType I64 = new("I64", 64, torch.ScalarType.Int64);
    public static readonly ElementType I32 = new("I32", 32, torch.ScalarType.Int32);
    public static readonly ElementType I16 = new("I16", 16, torch.ScalarType.Int16);
    public static readonly ElementType I8 = new("I8", 8, torch.ScalarType.Int8);
    public static readonly ElementType U8 = new("U8", 8, torch.ScalarType.Byte);
    public static readonly ElementType BOOL = new("BOOL", 8, torch.ScalarType.Bool);

    private static readonly Dictionary<string, ElementType> ByName = new ElementType[]
    {
        F64, F32, F16, BF16, I64, I32, I16, I8, U8, BOOL,
        new("U64", 64, torch.ScalarType.Int64) { Widening = Widenings.UInt64ToInt64 },
        new("U32", 32, torch.ScalarType.Int64) { Widening = Widenings.UInt32ToInt64 },
        new("U16", 16, torch.ScalarType.Int32) { Widening = Widenings.UInt16ToInt32 },
        new("F8_E4M3", 8, torch.ScalarType.Float16) { Widening = Widenings.E4M3 },
        new("F8_E5M2", 8, torch.ScalarType.Float16) { Widening = Widenings.E5M2 },
        new("F8_E4M3FNUZ", 8, torch.ScalarType.Float16) { Widening = Widenings.E4M3Fnuz },
        new("F8_E5M2FNUZ", 8, torch.ScalarType.Float16) { Widening = Widenings.E5M2Fnuz },
        new("F8_E8M0", 8, torch.ScalarType.Float32) { Widening = Widenings.E8M0 },
        new("C64", 64, null), new("F6_E2M3", 6, null), new("F6_E3M2", 6, null), new("F4", 4, null),
    }.ToDictionary(type => type.Name);

    private static readonly Dictionary<torch.ScalarType, ElementType> ByScalarType =
        ByName.Values.Where(type => type is { ScalarType: not null, Widening: null }).ToDictionary(type => type.ScalarType!.Value);

    internal int Bytes => Bits / 8;

    /// <summary>Converts elements to <see cref="ScalarType"/>; null if libtorch has the type.</summary>
    internal Widening? Widening { get; init; }

    internal bool IsFloatingPoint => Name[0] is 'F' or 'B' && this != BOOL;

    internal static ElementType? Find(string name) => ByName.GetValueOrDefault(name);

    /// <summary>The type in which a tensor is stored.</summary>
    public static ElementType For(torch.ScalarType dtype) => ByScalarType.TryGetValue(dtype, out var type)
        ? type : throw new CheckpointException($"Tensors of type {dtype} cannot be stored in a checkpoint.");

    public override string ToString() => Name;
}

internal static class Shapes
{
    public static string Text(ReadOnlySpan<long> shape) => $"[{string.Join(", ", shape.ToArray())}]";
}

internal static class Listing
{
    /// <summary>Lists the first names, and the number of the others.</summary>
    public static string Shorten(IReadOnlyCollection<string> names, int limit = 20)
    {
        var shown = string.Join(", ", names.Take(limit));
        return names.Count <= limit ? shown : $"{shown} and {names.Count - limit} more";
    }
}
