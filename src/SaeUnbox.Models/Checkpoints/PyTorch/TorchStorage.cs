using TorchSharp;

namespace SaeUnbox.Models;

/// <summary>A storage class of PyTorch by the type of its elements; the untyped one counts bytes.</summary>
internal sealed record StorageClass(string Name, ElementType Element)
{
    public static readonly IReadOnlyList<StorageClass> All =
    [
        new("DoubleStorage", ElementType.F64), new("FloatStorage", ElementType.F32), new("HalfStorage", ElementType.F16),
        new("BFloat16Storage", ElementType.BF16), new("LongStorage", ElementType.I64), new("IntStorage", ElementType.I32),
        new("ShortStorage", ElementType.I16), new("CharStorage", ElementType.I8), new("ByteStorage", ElementType.U8),
        new("BoolStorage", ElementType.BOOL), new("UntypedStorage", ElementType.U8),
    ];

    /// <summary>The name of the class that holds elements of a type.</summary>
    public static string Of(torch.ScalarType dtype)
    {
        var element = ElementType.Of(dtype);
        return All.First(kind => kind.Element == element).Name;
    }
}

/// <summary>A flat run of elements that tensors are views of. Where it lies is known once the container was read.</summary>
internal sealed class TorchStorage(string key, ElementType element, long count)
{
    public string Key => key;
    public ElementType Element => element;

    /// <summary>Number of elements.</summary>
    public long Count => count;

    public long Bytes => checked(count * element.Bytes);

    /// <summary>Place in the file of its first byte.</summary>
    public long Position { get; set; }

    public Action? Verify { get; set; }

    /// <summary>A pickle names a storage once for each of its tensors, always in the same words.</summary>
    public TorchStorage RequireSame(SourceFile file, StorageClass kind, long elements) => element == kind.Element && count == elements
        ? this : throw file.Broken($"its pickle describes the storage '{key}' in two ways");
}

/// <summary>A tensor of a PyTorch file: a view of a storage, its bounds checked. Offset and strides count elements.</summary>
internal sealed record TorchTensor(TorchStorage Storage, ElementType Element, long Offset, long[] Shape, long[] Strides);
