using TorchSharp;

namespace SaeUnbox.Models;

/// <summary>Copies a stored tensor straight into a tensor's memory; where types or memory order differ, through a small staging tensor.</summary>
internal static class TensorReader
{
    /// <summary>Elements converted at a time.</summary>
    private const long ChunkElements = 1 << 20;

    /// <summary>Bytes read at a time where nothing is converted (a span holds less than 2 GiB).</summary>
    private const long ChunkBytes = 64 << 20;

    public static void Read(StoredTensor stored, torch.Tensor target)
    {
        var (entry, file) = (stored.Entry, stored.File);
        var dtype = TypeOf(stored);
        if (!entry.Fits(target.shape))
            throw new CheckpointException(
                $"Tensor '{entry.Name}' of '{file.Path}' has shape {Shapes.Text(entry.Shape)}, expected {Shapes.Text(target.shape)}.");
        if (entry.Element.IsFloatingPoint && !ElementType.Of(target.dtype).IsFloatingPoint)
            throw new CheckpointException($"Tensor '{entry.Name}' of '{file.Path}' holds {entry.Element} values, which {target.dtype} cannot hold.");
        stored.Verify?.Invoke();
        if (target.numel() == 0) return;

        using var _ = torch.no_grad();
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
        $"Tensor '{stored.Entry.Name}' of '{stored.File.Path}' is of type {stored.Entry.Element}, which cannot be read here; convert the file to F32, F16 or BF16.");

    /// <summary>Elements lie one after the other in the view's row-major order.</summary>
    private static void ReadDense(StoredTensor stored, torch.ScalarType dtype, torch.Tensor view)
    {
        var position = stored.Position;
        var widening = stored.Entry.Element.Widening;
        var direct = widening is null && view.dtype == dtype && view.is_contiguous() && view.device_type == DeviceType.CPU;
        var narrow = widening is null ? [] : new byte[(int)Math.Min(ChunkElements, view.numel()) * stored.Entry.Element.Bytes];
        if (direct)
        {
            Slabs.ForEach(view, ChunkBytes / stored.Entry.Element.Bytes, slab => Fill(slab));
            return;
        }
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
            if (widening?.Invoke(bytes, part.bytes) == false)
                throw new CheckpointException($"Tensor '{stored.Entry.Name}' of '{stored.File.Path}' holds {stored.Entry.Element} values that {dtype} cannot hold.");
        }
    }

    /// <summary>Any other strides: the stretch of the storage that holds the tensor is read whole, then viewed.</summary>
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
        // A bool of another value than 0 and 1 is undefined behaviour in native code.
        if (stored.Entry.Element == ElementType.BOOL && bytes.ContainsAnyExceptInRange((byte)0, (byte)1))
            throw stored.File.Broken($"the BOOL tensor '{stored.Entry.Name}' holds bytes other than 0 and 1");
    }
}
