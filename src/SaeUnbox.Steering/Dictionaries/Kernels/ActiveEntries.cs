using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace SaeUnbox.Steering;

/// <summary>The non-zeros of a code matrix [rows, n] as three lists of one length, ordered by row.</summary>
internal sealed class ActiveEntries : IDisposable
{
    private ActiveEntries(Tensor rows, Tensor columns, Tensor values, long rowCount)
    {
        Rows = rows;
        Columns = columns;
        Values = values;
        RowCount = rowCount;
    }

    /// <summary>Row of each entry, [m] int64.</summary>
    public Tensor Rows { get; }

    /// <summary>Feature of each entry, [m] int64.</summary>
    public Tensor Columns { get; }

    /// <summary>Value of each entry after relu, [m] float32.</summary>
    public Tensor Values { get; }

    public long RowCount { get; }

    /// <summary>From k indices and values for each row, shapes [..., k].</summary>
    public static ActiveEntries OfTopK(Tensor indices, Tensor values)
    {
        var k = indices.shape[^1];
        var rowCount = indices.numel() / Math.Max(k, 1);
        var rows = Arithmetic.Range(0, rowCount, ScalarType.Int64, indices.device).unsqueeze(1).expand(rowCount, k).reshape(-1);
        return new ActiveEntries(rows, indices.reshape(-1), values.reshape(-1), rowCount);
    }

    /// <summary>From positions in the flattened matrix, in rising order, [m] int64.</summary>
    public static ActiveEntries OfFlat(Tensor positions, Tensor values, long rowCount, long features)
    {
        var rows = positions.FloorOver(features);
        return new ActiveEntries(rows, positions - rows.Times(features), values, rowCount);
    }

    /// <summary>The lists in managed memory, with where each row starts.</summary>
    public Arrays ToArrays()
    {
        var columns = Integers(Columns);
        var rows = Integers(Rows);
        var starts = new int[RowCount + 1];
        foreach (var row in rows)
            starts[row + 1]++;
        for (var row = 0; row < RowCount; row++)
            starts[row + 1] += starts[row];
        return new Arrays(rows, columns, MemoryMarshal.Cast<byte, float>(Values.contiguous().bytes).ToArray(), starts);
    }

    public void Dispose()
    {
        Rows.Dispose();
        Columns.Dispose();
        Values.Dispose();
    }

    private static int[] Integers(Tensor tensor)
    {
        using var narrow = tensor.to(ScalarType.Int32).contiguous();
        return MemoryMarshal.Cast<byte, int>(narrow.bytes).ToArray();
    }

    internal sealed record Arrays(int[] Rows, int[] Columns, float[] Values, int[] RowStarts);
}
