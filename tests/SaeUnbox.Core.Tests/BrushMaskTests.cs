namespace SaeUnbox.Core.Tests;

public class BrushMaskTests
{
    [Fact]
    public void Scaled_FinerAndCoarserGrid_KeepsThePlaces()
    {
        var mask = BrushMask.FromCells(2, 2, [1, 0, .25f, .5f]);

        var fine = mask.Scaled(4, 4);

        Assert.Equal(BrushMask.FromCells(4, 4, [1, 1, 0, 0, 1, 1, 0, 0, .25f, .25f, .5f, .5f, .25f, .25f, .5f, .5f]), fine);
        Assert.Equal(mask, fine.Scaled(2, 2));
        Assert.Throws<RecipeException>(() => mask.Scaled(0, 1));
    }

    [Fact]
    public void FromCells_RowsByColumns_IsReadByRowAndColumn()
    {
        var mask = BrushMask.FromCells(2, 3, [0, 0.25f, 0.5f, 0.75f, 1, 0]);

        Assert.Equal((2, 3), (mask.Rows, mask.Columns));
        Assert.Equal(0.5f, mask[0, 2]);
        Assert.Equal(0.75f, mask[1, 0]);
    }

    [Fact]
    public void FromCells_ArrayChangedAfterwards_KeepsTheMask()
    {
        float[] cells = [0, 1];
        var mask = BrushMask.FromCells(1, 2, cells);

        cells[0] = 1;

        Assert.Equal(0, mask[0, 0]);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(-0.1f)]
    [InlineData(1.1f)]
    [InlineData(float.PositiveInfinity)]
    public void FromCells_ValueOutsideZeroToOne_NamesTheCell(float value)
    {
        var error = Assert.Throws<RecipeException>(() => BrushMask.FromCells(2, 2, [0, 0, 0, value]));

        Assert.Contains("row 1, column 1", error.Message);
    }

    [Theory]
    [InlineData(0, 4, 0)]
    [InlineData(4, -1, 0)]
    [InlineData(257, 1, 257)]
    [InlineData(2, 2, 5)]
    [InlineData(65536, 65536, 0)]
    public void FromCells_MismatchedSizes_AreRefused(int rows, int columns, int count)
    {
        Assert.Throws<RecipeException>(() => BrushMask.FromCells(rows, columns, new float[count]));
    }

    [Fact]
    public void FromCells_NegativeZero_EqualsZero()
    {
        var mask = BrushMask.FromCells(1, 1, [-0f]);

        Assert.Equal(BrushMask.FromCells(1, 1, [0]), mask);
        Assert.False(float.IsNegative(mask[0, 0]));
    }

    [Fact]
    public void FromPixels_BlockOfPixels_GivesTheShareAboveZero()
    {
        byte[] pixels =
        [
            0, 0, 9, 255,
            0, 1, 9, 255,
            0, 0, 0, 0,
            0, 0, 0, 7,
        ];

        var mask = BrushMask.FromPixels(pixels, width: 4, height: 4, rows: 2, columns: 2);

        Assert.Equal([0.25f, 1, 0, 0.25f], mask.Cells.ToArray());
    }

    [Fact]
    public void FromPixels_PictureNotAMultipleOfTheGrid_CountsEachPixelOnce()
    {
        var pixels = Enumerable.Repeat((byte)255, 5 * 3).ToArray();

        var mask = BrushMask.FromPixels(pixels, width: 5, height: 3, rows: 2, columns: 3);

        Assert.Equal(Enumerable.Repeat(1f, 6), mask.Cells.ToArray());
    }

    [Theory]
    [InlineData(2, 2, 4, 4, 4)]
    [InlineData(4, 4, 15, 2, 2)]
    [InlineData(int.MaxValue, int.MaxValue, 1, 2, 2)]
    public void FromPixels_MismatchedSizes_AreRefused(int width, int height, int count, int rows, int columns)
    {
        Assert.Throws<RecipeException>(() => BrushMask.FromPixels(new byte[count], width, height, rows, columns));
    }

    [Theory]
    [InlineData("[[0, 1], [0.5, 0.25]]")]
    [InlineData(" [[0,1],[5e-1,0.25]] ")]
    public void Parse_ArrayOfRows_GivesTheCells(string json)
    {
        var mask = BrushMask.Parse(json);

        Assert.Equal((2, 2), (mask.Rows, mask.Columns));
        Assert.Equal([0, 1, 0.5f, 0.25f], mask.Cells.ToArray());
    }

    [Theory]
    [InlineData("[]", "0 x 0")]
    [InlineData("[[]]", "1 x 0")]
    [InlineData("[1]", "1 x 0")]
    [InlineData("[[1],[1,1]]", "row 1")]
    [InlineData("[[1],2]", "row 1")]
    [InlineData("[[1,\"1\"]]", "row 0, column 1")]
    [InlineData("[[1,null]]", "row 0, column 1")]
    [InlineData("[[1.00000001]]", "row 0, column 0")]
    [InlineData("[[1e999]]", "row 0, column 0")]
    [InlineData("[[1]", "JSON")]
    [InlineData("[[NaN]]", "JSON")]
    public void Parse_BadRows_SaysWhere(string json, string where)
    {
        var error = Assert.Throws<RecipeException>(() => BrushMask.Parse(json));

        Assert.Equal("mask", error.Errors[0].Field);
        Assert.Contains(where, error.Message);
    }

    [Fact]
    public void IsBlank_MaskOfZeros_IsTrue()
    {
        Assert.True(BrushMask.FromCells(2, 2, new float[4]).IsBlank);
        Assert.False(BrushMask.FromCells(2, 2, [0, 0, 0, 0.001f]).IsBlank);
    }
}
