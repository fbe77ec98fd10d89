using System.Collections;
using TorchSharp.Interop;

namespace TorchSharp.Utils;

/// <summary>A tensor's elements, read in row-major order whatever its strides; the tensor must be on the CPU.</summary>
public sealed class TensorAccessor<T> : IDisposable, IEnumerable<T> where T : unmanaged
{
    private readonly torch.Tensor tensor;
    private readonly torch.Tensor contiguous;

    internal TensorAccessor(torch.Tensor tensor)
    {
        this.tensor = tensor;
        contiguous = tensor.is_contiguous() ? tensor : tensor.contiguous().DetachFromDisposeScope();
    }

    /// <summary>The number of elements.</summary>
    public long Count => contiguous.numel();

    public T[] ToArray()
    {
        var array = new T[Count];
        CopyTo(array);
        return array;
    }

    /// <summary>The element at a full index, one number a dimension, or at a row-major position.</summary>
    public T this[params long[] indices]
    {
        get
        {
            long position = 0;
            var sizes = contiguous.shape;
            if (indices.Length == 1) position = indices[0];
            else if (indices.Length != sizes.Length) throw new ArgumentException($"{indices.Length} indices for {sizes.Length} dimensions.");
            else
                for (var i = 0; i < sizes.Length; i++)
                    position = indices[i] >= 0 && indices[i] < sizes[i]
                        ? position * sizes[i] + indices[i]
                        : throw new IndexOutOfRangeException($"Index {indices[i]} is outside dimension {i} of size {sizes[i]}.");
            if (position < 0 || position >= Count) throw new IndexOutOfRangeException($"Position {position} is outside {Count} elements.");
            using var borrowed = new Borrowed(contiguous);
            return Elements(position, 1)[0];
        }
    }

    public void CopyTo(T[] array, int arrayIndex = 0, long tensorIndex = 0) => CopyTo(array.AsSpan(), arrayIndex, tensorIndex);

    public void CopyTo(Span<T> array, int arrayIndex = 0, long tensorIndex = 0)
    {
        using var borrowed = new Borrowed(contiguous);
        for (var left = Count - tensorIndex; left > 0;)
        {
            var piece = (int)Math.Min(left, 1 << 24);
            Elements(tensorIndex, piece).CopyTo(array[arrayIndex..]);
            (tensorIndex, arrayIndex, left) = (tensorIndex + piece, arrayIndex + piece, left - piece);
        }
    }

    public IEnumerator<T> GetEnumerator() => ((IEnumerable<T>)ToArray()).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    public void Dispose()
    {
        if (!ReferenceEquals(contiguous, tensor)) contiguous.Dispose();
    }

    private unsafe ReadOnlySpan<T> Elements(long start, int count) => new((T*)contiguous.DataPointer() + start, count);
}
