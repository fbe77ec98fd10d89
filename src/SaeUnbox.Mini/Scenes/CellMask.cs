namespace SaeUnbox.Mini.Scenes;

/// <summary>A set of cells in the 16x16 grid of the brush and the labels.</summary>
public sealed class CellMask
{
    public const int Side = 16;
    private readonly bool[] _cells;

    private CellMask(Func<int, int, bool> holds)
    {
        _cells = new bool[Side * Side];
        for (var i = 0; i < _cells.Length; i++)
            _cells[i] = holds(i / Side, i % Side);
    }

    public bool this[int row, int column] => _cells[row * Side + column];

    /// <summary>Row by row.</summary>
    public ReadOnlySpan<bool> Cells => _cells;

    /// <summary>A box of cells, clipped to the grid.</summary>
    public static CellMask Box(int top, int left, int height, int width) =>
        new((row, column) => row >= top && row < top + height && column >= left && column < left + width);

    /// <summary>The cells of this mask that are, or are not, in another one.</summary>
    public CellMask Part(CellMask other, bool inside) => new((row, column) => this[row, column] && other[row, column] == inside);

    /// <summary>The cells whose centre is inside an ellipse. Coordinates are in cells.</summary>
    public static CellMask Ellipse(double centerRow, double centerColumn, double radiusRows, double radiusColumns) =>
        new((row, column) => Square((row + .5 - centerRow) / radiusRows) + Square((column + .5 - centerColumn) / radiusColumns) <= 1);

    private static double Square(double x) => x * x;
}
