using System.Text.Json;

namespace SaeUnbox.Core;

/// <summary>A mask as a JSON array of rows, each an array of numbers.</summary>
internal static class MaskRows
{
    // A number takes at most 25 characters and its comma.
    private const int MaxLength = BrushMask.MaxSide * BrushMask.MaxSide * 26;

    public static BrushMask Parse(string json)
    {
        if (json.Length > MaxLength)
            throw new RecipeException(BrushMask.FieldName, $"the text is longer than {MaxLength} characters");
        using var document = StrictJson.Parse(json, BrushMask.FieldName);
        return Read(document.RootElement);
    }

    public static BrushMask Read(JsonElement rows)
    {
        var rowCount = rows.GetArrayLength();
        var columnCount = rowCount > 0 && rows[0].ValueKind == JsonValueKind.Array ? rows[0].GetArrayLength() : 0;
        BrushMask.CheckSize(rowCount, columnCount);
        var cells = new float[rowCount * columnCount];
        var row = 0;
        foreach (var values in rows.EnumerateArray())
        {
            if (values.ValueKind != JsonValueKind.Array || values.GetArrayLength() != columnCount)
                throw new RecipeException(BrushMask.FieldName, $"row {row} is not an array of {columnCount} numbers as the first row is");
            var column = 0;
            foreach (var value in values.EnumerateArray())
            {
                if (value.ValueKind != JsonValueKind.Number)
                    throw new RecipeException(BrushMask.FieldName, $"the cell in row {row}, column {column} is not a number");
                // Checked before rounding to float32, so that 1.00000001 is refused and not made 1.
                if (value.GetDouble() is not (>= 0 and <= 1))
                    throw BrushMask.OutOfRange(row, column, value.GetDouble());
                cells[(row * columnCount) + column++] = value.GetSingle();
            }

            row++;
        }

        return BrushMask.FromCells(rowCount, columnCount, cells);
    }
}
