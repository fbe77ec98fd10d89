using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace SaeUnbox.Core;

/// <summary>
/// How strongly an edit acts on each cell of a site's grid: an immutable rows x columns matrix of float32 values from 0 to 1.
/// An edit without a mask acts on the whole grid.
/// </summary>
[JsonConverter(typeof(BrushMaskConverter))]
public sealed class BrushMask : IEquatable<BrushMask>
{
    /// <summary>Most rows and most columns: the grid of the finest site for a picture of 4096 pixels.</summary>
    public const int MaxSide = 256;

    private readonly float[] _cells;

    private BrushMask(int rows, int columns, float[] cells)
    {
        Rows = rows;
        Columns = columns;
        _cells = cells;
    }

    public int Rows { get; }

    public int Columns { get; }

    /// <summary>rows x columns values, row by row.</summary>
    public ReadOnlySpan<float> Cells => _cells;

    public float this[int row, int column] => _cells[(row * Columns) + column];

    /// <summary>True if nothing is painted.</summary>
    public bool IsBlank => !_cells.AsSpan().ContainsAnyExcept(0f);

    /// <summary>True if every cell is painted, at least a little.</summary>
    public bool IsNowhereEmpty => !_cells.AsSpan().Contains(0f);

    /// <param name="cells">rows x columns values, row by row.</param>
    /// <exception cref="RecipeException">The size is out of bounds, or a value is outside 0 to 1.</exception>
    public static BrushMask FromCells(int rows, int columns, ReadOnlySpan<float> cells)
    {
        CheckSize(rows, columns);
        if (cells.Length != rows * columns)
            throw new RecipeException(FieldName, $"has {cells.Length} cells, but {rows} x {columns} are {rows * columns}");
        var copy = cells.ToArray();
        for (var i = 0; i < copy.Length; i++)
        {
            if (copy[i] is not (>= 0 and <= 1))
                throw OutOfRange(i / columns, i % columns, copy[i]);
            copy[i] += 0f; // turns negative zero into zero, so that equal masks have equal bytes
        }

        return new(rows, columns, copy);
    }

    /// <summary>
    /// Converts painted pixels: a cell's value is the fraction of nonzero pixels in its block. If the picture is not a multiple of the
    /// grid, block sizes differ by one pixel.
    /// </summary>
    /// <param name="pixels">width x height bytes, row by row, such as the alpha of a painted layer.</param>
    /// <exception cref="RecipeException">The sizes do not fit.</exception>
    public static BrushMask FromPixels(ReadOnlySpan<byte> pixels, int width, int height, int rows, int columns)
    {
        CheckSize(rows, columns);
        if (width < columns || height < rows)
            throw new RecipeException(FieldName, $"a picture of {width} x {height} pixels is too small for {columns} x {rows} cells");
        if (pixels.Length != (long)width * height)
            throw new RecipeException(FieldName, $"has {pixels.Length} pixels, but {width} x {height} are {(long)width * height}");
        var cells = new float[rows * columns];
        for (var row = 0; row < rows; row++)
        {
            int top = Edge(row, height, rows), bottom = Edge(row + 1, height, rows);
            for (var column = 0; column < columns; column++)
            {
                int left = Edge(column, width, columns), right = Edge(column + 1, width, columns);
                var painted = 0;
                for (var y = top; y < bottom; y++)
                    painted += right - left - pixels.Slice((y * width) + left, right - left).Count((byte)0);
                cells[(row * columns) + column] = (float)painted / ((bottom - top) * (right - left));
            }
        }

        return new(rows, columns, cells);
    }

    /// <summary>The same picture on another grid: a cell is the mean of what it covers, weighted by area.</summary>
    /// <exception cref="RecipeException">The size is out of bounds.</exception>
    public BrushMask Scaled(int rows, int columns)
    {
        CheckSize(rows, columns);
        if (rows == Rows && columns == Columns)
            return this;
        var cells = new float[rows * columns];
        for (var row = 0; row < rows; row++)
            for (var column = 0; column < columns; column++)
            {
                double sum = 0;
                foreach (var (y, height) in Covered(row, rows, Rows))
                    foreach (var (x, width) in Covered(column, columns, Columns))
                        sum += height * width * this[y, x];
                cells[(row * columns) + column] = (float)Math.Min(1, sum);
            }
        return new(rows, columns, cells);
    }

    /// <summary>Reads the text form (see <see cref="ToString"/>) or a JSON array of rows such as <c>[[0, 1], [0.5, 0]]</c>.</summary>
    /// <exception cref="RecipeException">The text is malformed, or a value is outside 0 to 1.</exception>
    public static BrushMask Parse(string text) =>
        text.AsSpan().TrimStart().StartsWith("[") ? MaskRows.Parse(text) : MaskText.Parse(text);

    /// <summary>
    /// The lossless text form <c>ROWSxCOLUMNS/SCALE:DATA</c>. DATA is base64url of runs, each a length and a value. SCALE is D = 1, 255
    /// or 1024, the first that represents every cell exactly; the value is then a whole number v that stands for the float32 nearest to
    /// v / D. Otherwise SCALE is <c>f32</c>, and the value is a float32.
    /// </summary>
    public override string ToString() => MaskText.Write(this);

    public bool Equals(BrushMask? other) =>
        other is not null && Rows == other.Rows && Columns == other.Columns && _cells.AsSpan().SequenceEqual(other._cells);

    public override bool Equals(object? obj) => Equals(obj as BrushMask);

    public override int GetHashCode()
    {
        var hash = new HashCode();
        hash.Add(Rows);
        hash.AddBytes(MemoryMarshal.AsBytes(_cells.AsSpan()));
        return hash.ToHashCode();
    }

    internal const string FieldName = "mask";

    internal static void CheckSize(int rows, int columns)
    {
        if (rows is < 1 or > MaxSide || columns is < 1 or > MaxSide)
            throw new RecipeException(FieldName, $"is {rows} x {columns} cells; each side must be 1 to {MaxSide}");
    }

    internal static RecipeException OutOfRange(int row, int column, double value) =>
        new(FieldName, FormattableString.Invariant($"the cell in row {row}, column {column} is {value}; it must lie between 0 and 1"));

    // The old cells under a new one, and the share of the new one that each fills.
    private static IEnumerable<(int Index, double Share)> Covered(int index, int count, int oldCount)
    {
        var (start, end, scale) = ((long)index * oldCount, (long)(index + 1) * oldCount, (double)oldCount);
        for (var old = start / count; old * count < end; old++)
            yield return ((int)old, (Math.Min(end, (old + 1) * count) - Math.Max(start, old * count)) / scale);
    }

    /// <summary>A mask of this size in which nothing is painted.</summary>
    public BrushMask Blank() => new(Rows, Columns, new float[Rows * Columns]);

    private static int Edge(int index, int pixels, int cells) => (int)((long)index * pixels / cells);
}

/// <summary>Writes a mask to JSON in its text form. Also reads an array of rows.</summary>
internal sealed class BrushMaskConverter : JsonConverter<BrushMask>
{
    public override BrushMask Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        var element = JsonElement.ParseValue(ref reader);
        return Fields.Mask(element, out var mask) is { } problem ? throw new JsonException(problem) : mask!;
    }

    public override void Write(Utf8JsonWriter writer, BrushMask value, JsonSerializerOptions options) =>
        writer.WriteStringValue(value.ToString());
}

/// <summary>Writes whole numbers as LEB128 (seven bits per byte, lowest first) and float32 values in little-endian order.</summary>
internal sealed class RunWriter
{
    private readonly List<byte> _bytes = [];

    public byte[] Bytes => [.. _bytes];

    public void WriteNumber(int value)
    {
        for (; value > 0x7F; value >>= 7)
            _bytes.Add((byte)(value | 0x80));
        _bytes.Add((byte)value);
    }

    public void WriteFloat(float value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(float)];
        BinaryPrimitives.WriteSingleLittleEndian(bytes, value);
        _bytes.AddRange(bytes);
    }
}

/// <summary>Reads what <see cref="RunWriter"/> wrote. Returns false at the end of the data and for numbers of more than 28 bits.</summary>
internal ref struct RunReader(ReadOnlySpan<byte> bytes)
{
    private const int MaxBits = 28;

    private ReadOnlySpan<byte> _rest = bytes;

    public readonly bool AtEnd => _rest.IsEmpty;

    public bool TryReadNumber(out int value)
    {
        value = 0;
        for (var shift = 0; shift < MaxBits && !_rest.IsEmpty; shift += 7)
        {
            var next = _rest[0];
            _rest = _rest[1..];
            value |= (next & 0x7F) << shift;
            if (next <= 0x7F)
                return true;
        }

        return false;
    }

    public bool TryReadFloat(out float value)
    {
        if (!BinaryPrimitives.TryReadSingleLittleEndian(_rest, out value))
            return false;
        _rest = _rest[sizeof(float)..];
        return true;
    }
}
