using System.Buffers;
using System.Runtime.InteropServices;
using TorchSharp;

namespace SaeUnbox.Models;

/// <summary>
/// Reads a stored tensor directly into a tensor's memory, or through a small staging tensor if types or memory order differ.
/// </summary>
internal static class TensorReader
{
    /// <summary>Elements that libtorch converts at a time.</summary>
    private const long ChunkElements = 1 << 20;

    /// <summary>Elements that are read and converted at a time: few enough for a core's cache.</summary>
    private const int CachedElements = 1 << 17;

    public static void Read(StoredTensor stored, torch.Tensor target)
    {
        var (entry, file) = (stored.Entry, stored.File);
        var dtype = TypeOf(stored);
        if (!entry.Fits(target.shape))
            throw new CheckpointException(
                $"Tensor '{entry.Name}' of '{file.Path}' has shape {Shapes.Text(entry.Shape)}, expected {Shapes.Text(target.shape)}.");
        if (entry.Element.IsFloatingPoint && !ElementType.For(target.dtype).IsFloatingPoint)
            throw new CheckpointException(
                $"Tensor '{entry.Name}' of '{file.Path}' holds {entry.Element} values, which {target.dtype} cannot hold.");
        stored.Verify?.Invoke();
        if (target.numel() == 0)
            return;

        using var _ = torch.no_grad();
        if (stored.Change is { } change)
        {
            using var whole = torch.empty(entry.Shape, dtype: torch.float32);
            Read(stored with { Verify = null, Change = null }, whole);
            change(whole);
            target.copy_(whole);
            return;
        }

        if (StoredTensor.DenseOrder(entry.Shape, stored.Strides) is { } order)
        {
            using var view = target.permute(order.Select(axis => (long)axis).ToArray());
            ReadDense(stored, dtype, view);
        }
        else
        {
            ReadScattered(stored, dtype, target);
        }
    }

    /// <exception cref="CheckpointException">The type cannot be read.</exception>
    public static torch.ScalarType TypeOf(StoredTensor stored) => stored.Entry.Element.ScalarType ?? throw new CheckpointException(
        $"Tensor '{stored.Entry.Name}' of '{stored.File.Path}' is of type {stored.Entry.Element}, which is not supported; "
        + "convert the file to F32, F16 or BF16.");

    /// <summary>Reads elements that are stored contiguously in the view's row-major order.</summary>
    private static void ReadDense(StoredTensor stored, torch.ScalarType dtype, torch.Tensor view)
    {
        if (view.device_type == DeviceType.CPU && ElementConversions.Find(stored.Entry.Element, view.dtype) is { } convert
            && TryReadConverted(stored, convert, view))
            return;
        var position = stored.Position;
        var widening = stored.Entry.Element.Widening;
        var narrow = widening is null ? [] : new byte[(int)Math.Min(ChunkElements, view.numel()) * stored.Entry.Element.Bytes];
        using var staging = torch.empty(Math.Min(ChunkElements, view.numel()), dtype: dtype);
        Slabs.ForEach(view, ChunkElements, slab =>
        {
            using var part = staging.narrow(0, 0, slab.numel());
            Fill(part);
            using var shaped = part.view(slab.shape);
            slab.copy_(shaped);
        });

        void Fill(torch.Tensor part)
        {
            var bytes = widening is null ? part.bytes : narrow.AsSpan(0, (int)part.numel() * stored.Entry.Element.Bytes);
            ReadBytes(stored, position, bytes);
            position += bytes.Length;
            if (widening is not null)
                Convert(stored, widening, bytes, part.bytes);
        }
    }

    /// <summary>
    /// Reads and converts a few elements at a time, straight into the view's memory. A convolution's kernel may be stored channels-last.
    /// </summary>
    /// <returns>False, with nothing read, if the view's memory is in another order.</returns>
    private static unsafe bool TryReadConverted(StoredTensor stored, Widening convert, torch.Tensor view)
    {
        var (rows, columns) = (1, 1);
        using var dense = view.dim() == 4 && !view.is_contiguous() ? view.permute(0, 2, 3, 1) : view.alias();
        if (!dense.is_contiguous())
            return false;
        var (from, to) = (stored.Entry.Element.Bytes, (int)view.ElementSize);
        if (!view.is_contiguous())
        {
            var (channels, area) = (view.shape[1], view.shape[2] * view.shape[3]);
            if (channels * area > CachedElements || to is not (sizeof(ushort) or sizeof(float)))
                return false;
            (rows, columns) = ((int)channels, (int)area);
        }

        var count = view.numel();
        var step = (int)Math.Min(count, CachedElements / (rows * columns) * (rows * columns));
        var (isTransposed, isCopy) = (rows * columns > 1, convert == ElementConversions.Copy);
        byte[] source = ArrayPool<byte>.Shared.Rent(step * from), converted = ArrayPool<byte>.Shared.Rent(isTransposed ? step * to : 0);
        var target = (byte*)CpuKernel.Address(dense);
        for (long done = 0; done < count; done += step)
        {
            var now = (int)Math.Min(step, count - done);
            var written = new Span<byte>(target + done * to, now * to);
            var ordered = isTransposed ? converted.AsSpan(0, now * to) : written;
            var read = isCopy ? ordered : source.AsSpan(0, now * from);
            ReadBytes(stored, stored.Position + done * from, read);
            if (!isCopy)
                Convert(stored, convert, read, ordered);
            if (isTransposed)
                ElementConversions.Transpose(ordered, written, rows, columns, to);
        }

        ArrayPool<byte>.Shared.Return(source);
        ArrayPool<byte>.Shared.Return(converted);
        return true;
    }

    private static void Convert(StoredTensor stored, Widening convert, ReadOnlySpan<byte> from, Span<byte> to)
    {
        if (!convert(from, to))
            throw new CheckpointException($"Tensor '{stored.Entry.Name}' of '{stored.File.Path}' holds {stored.Entry.Element} values that "
                + $"{TypeOf(stored)} cannot hold.");
    }

    /// <summary>Reads a tensor of any other strides: reads the whole range of the storage that holds it, then takes a view.</summary>
    private static void ReadScattered(StoredTensor stored, torch.ScalarType dtype, torch.Tensor target)
    {
        using var storage = torch.empty(StoredTensor.ExtentOf(stored.Entry.Shape, stored.Strides), dtype: dtype);
        ReadDense(stored, dtype, storage);
        using var view = storage.as_strided(stored.Entry.Shape, stored.Strides);
        target.copy_(view);
    }

    private static void ReadBytes(StoredTensor stored, long position, Span<byte> bytes)
    {
        stored.File.ReadExactly(position, bytes);
        // In native code, a bool other than 0 or 1 is undefined behaviour.
        if (stored.Entry.Element == ElementType.BOOL && bytes.ContainsAnyExceptInRange((byte)0, (byte)1))
            throw stored.File.Broken($"the BOOL tensor '{stored.Entry.Name}' holds bytes other than 0 and 1");
    }
}

/// <summary>Where a tensor's elements are in a file.</summary>
/// <param name="Position">Offset in bytes.</param>
/// <param name="Strides">In elements, per axis.</param>
/// <param name="Verify">Verifies the checksum before the first read; null if the format has none.</param>
/// <param name="Change">Changes the values in place when the tensor is read, as a float32 tensor of its shape; null for nothing.</param>
internal sealed record StoredTensor(
    TensorEntry Entry, SourceFile File, long Position, long[] Strides, Action? Verify = null, Action<torch.Tensor>? Change = null)
{
    /// <summary>Strides of a row-major tensor (an axis of size 0 counts as 1).</summary>
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

    /// <summary>Number of elements from the first to the last one, inclusive; 0 for an empty tensor.</summary>
    /// <exception cref="OverflowException">The extent does not fit 64 bits.</exception>
    public static long ExtentOf(long[] shape, long[] strides)
    {
        if (shape.Contains(0))
            return 0;
        long last = 0;
        for (var axis = 0; axis < shape.Length; axis++)
            last = checked(last + checked((shape[axis] - 1) * strides[axis]));
        return checked(last + 1);
    }

    /// <summary>
    /// The order of axes, slowest first, in which the elements are contiguous; null if there is none. A column-major matrix has [1, 0].
    /// </summary>
    public static int[]? DenseOrder(long[] shape, long[] strides)
    {
        // The stride of an axis of size 1 has no meaning, so such axes go first.
        var order = Enumerable.Range(0, shape.Length).OrderByDescending(axis => shape[axis] == 1 ? long.MaxValue : strides[axis]).ToArray();
        long expected = 1;
        foreach (var axis in order.Reverse())
        {
            if (shape[axis] == 1)
                continue;
            if (strides[axis] != expected)
                return null;
            expected = checked(expected * shape[axis]);
        }
        return order;
    }
}

/// <summary>Converts elements of a type that libtorch lacks to a wider one that it has, without loss.</summary>
/// <returns>False if a value does not fit.</returns>
internal delegate bool Widening(ReadOnlySpan<byte> from, Span<byte> to);

/// <summary>
/// Conversions of unsigned integers and 8-bit floats (arXiv 2209.05433; FNUZ: arXiv 2206.02915; E8M0: OCP MX specification).
/// </summary>
internal static class Widenings
{
    public static readonly Widening UInt16ToInt32 = (from, to) => Each<ushort, int>(from, to, value => value);
    public static readonly Widening UInt32ToInt64 = (from, to) => Each<uint, long>(from, to, value => value);

    public static readonly Widening UInt64ToInt64 = (from, to) =>
        !MemoryMarshal.Cast<byte, ulong>(from).ContainsAnyInRange(1UL << 63, ulong.MaxValue)
        && Each<ulong, long>(from, to, value => (long)value);

    public static readonly Widening E4M3 = Table(code => (code & 0x7f) == 0x7f ? double.NaN : Number(code, 3, 7));
    public static readonly Widening E4M3Fnuz = Table(code => code == 0x80 ? double.NaN : Number(code, 3, 8));
    public static readonly Widening E5M2Fnuz = Table(code => code == 0x80 ? double.NaN : Number(code, 2, 16));

    /// <summary>The upper byte of a float16.</summary>
    public static readonly Widening E5M2 = (from, to) => Each<byte, ushort>(from, to, code => (ushort)(code << 8));

    /// <summary>Only an exponent: the scale of a block.</summary>
    public static readonly Widening E8M0 = (from, to) =>
        Each<byte, float>(from, to, code => code == 255 ? float.NaN : MathF.ScaleB(1, code - 127));

    private static Widening Table(Func<int, double> valueOf)
    {
        Half[] values = [.. Enumerable.Range(0, 256).Select(code => (Half)valueOf(code))];
        return (from, to) => Each<byte, Half>(from, to, code => values[code]);
    }

    private static double Number(int code, int mantissaBits, int bias)
    {
        var (exponent, mantissa) = ((code & 0x7f) >> mantissaBits, code & ((1 << mantissaBits) - 1));
        // Subnormal numbers have no implicit leading one.
        var size = exponent == 0
            ? Math.ScaleB(mantissa, 1 - bias - mantissaBits)
            : Math.ScaleB((1 << mantissaBits) + mantissa, exponent - bias - mantissaBits);
        return code < 0x80 ? size : -size;
    }

    private static bool Each<TFrom, TTo>(ReadOnlySpan<byte> from, Span<byte> to, Func<TFrom, TTo> widen)
        where TFrom : struct where TTo : struct
    {
        var narrow = MemoryMarshal.Cast<byte, TFrom>(from);
        var wide = MemoryMarshal.Cast<byte, TTo>(to);
        for (var i = 0; i < narrow.Length; i++)
            wide[i] = widen(narrow[i]);
        return true;
    }
}

/// <summary>Splits a tensor into views of limited size, in row-major order.</summary>
internal static class Slabs
{
    /// <param name="view">May have any strides and device.</param>
    /// <param name="limit">Most elements per piece.</param>
    /// <param name="visit">Called with each piece, which is disposed when the call returns.</param>
    public static void ForEach(torch.Tensor view, long limit, Action<torch.Tensor> visit)
    {
        var count = view.numel();
        if (count == 0)
            return;
        if (count <= limit)
        {
            visit(view);
            return;
        }
        if (view.dim() > 1 && view.is_contiguous())
        {
            using var flat = view.view(-1);
            ForEach(flat, limit, visit);
            return;
        }
        var rows = view.shape[0];
        var step = Math.Max(1, limit / (count / rows));
        for (long row = 0; row < rows; row += step)
        {
            using var slab = view.narrow(0, row, Math.Min(step, rows - row));
            if (slab.numel() <= limit)
            {
                visit(slab);
                continue;
            }
            using var inner = slab.select(0, 0);
            ForEach(inner, limit, visit);
        }
    }
}
