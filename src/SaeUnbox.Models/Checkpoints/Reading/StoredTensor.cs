namespace SaeUnbox.Models;

/// <summary>Where a tensor's elements lie in a file: a place in bytes and, per axis, a stride in elements.</summary>
/// <param name="Verify">Checks the bytes against their checksum before the first read, where the format has one.</param>
internal sealed record StoredTensor(TensorEntry Entry, SourceFile File, long Position, long[] Strides, Action? Verify = null)
{
    /// <summary>Strides of a tensor whose last axis runs fastest (an axis of size 0 counts as 1).</summary>
    public static long[] RowMajor(long[] shape)
    {
        var strides = new long[shape.Length];
        long stride = 1;
        for (var axis = shape.Length - 1; axis >= 0; axis--)
        {
            strides[axis] = stride;
            stride = checked(stride * Math.Max(1, shape[axis]));
        }
        return strides;
    }

    /// <summary>Elements from the first to the last one, both included; 0 for an empty tensor.</summary>
    /// <exception cref="OverflowException">The extent does not fit 64 bits.</exception>
    public static long ExtentOf(long[] shape, long[] strides)
    {
        if (shape.Contains(0)) return 0;
        long last = 0;
        for (var axis = 0; axis < shape.Length; axis++) last = checked(last + checked((shape[axis] - 1) * strides[axis]));
        return checked(last + 1);
    }

    /// <summary>
    /// The order of axes, slowest first, in which the elements lie one after the other without gap, or null where there is none.
    /// A column-major matrix has [1, 0].
    /// </summary>
    public static int[]? DenseOrder(long[] shape, long[] strides)
    {
        // The stride of an axis of size 1 says nothing: such axes go first.
        var order = Enumerable.Range(0, shape.Length).OrderByDescending(axis => shape[axis] == 1 ? long.MaxValue : strides[axis]).ToArray();
        long expected = 1;
        foreach (var axis in order.Reverse())
        {
            if (shape[axis] == 1) continue;
            if (strides[axis] != expected) return null;
            expected = checked(expected * shape[axis]);
        }
        return order;
    }
}
