using System.Buffers.Text;

namespace SaeUnbox.Core;

/// <summary>The compact text form of a mask; see <see cref="BrushMask.ToString"/>.</summary>
internal static class MaskText
{
    private const string FloatScale = "f32";

    // 1: painted or not. 255: a brush of 256 levels. 1024: the fraction of a block of 32 x 32, 16 x 16 or 8 x 8 pixels.
    private static readonly int[] Scales = [1, 255, 1024];

    public static string Write(BrushMask mask)
    {
        int? scale = null;
        foreach (var candidate in Scales)
        {
            if (scale is null && Fits(mask.Cells, candidate))
                scale = candidate;
        }

        var runs = new RunWriter();
        var cells = mask.Cells;
        for (int start = 0, end; start < cells.Length; start = end)
        {
            end = start + 1;
            while (end < cells.Length && cells[end] == cells[start])
                end++;
            runs.WriteNumber(end - start);
            if (scale is { } whole)
                runs.WriteNumber(Quantized(cells[start], whole));
            else
                runs.WriteFloat(cells[start]);
        }

        var name = scale?.ToString(CultureInfo.InvariantCulture) ?? FloatScale;
        return string.Create(CultureInfo.InvariantCulture, $"{mask.Rows}x{mask.Columns}/{name}:{Base64Url.EncodeToString(runs.Bytes)}");
    }

    public static BrushMask Parse(string text)
    {
        if (text.Split(':', 2) is not [var head, var data] || head.Split('/') is not [var size, var scaleText]
            || size.Split('x') is not [var rowText, var columnText]
            || !TryWhole(rowText, out var rows) || !TryWhole(columnText, out var columns))
            throw new RecipeException(BrushMask.FieldName, $"{UntrustedText.Quote(text)} is not a mask; a mask starts like 16x16/1024:");
        BrushMask.CheckSize(rows, columns);
        var scale = Array.Find(Scales, s => s.ToString(CultureInfo.InvariantCulture) == scaleText);
        if (scale == 0 && scaleText != FloatScale)
            throw Broken($"the scale {UntrustedText.Quote(scaleText)} is not one of 1, 255, 1024, f32");
        if (!Base64Url.IsValid(data))
            throw Broken("the part after the colon is not base64url");

        var runs = new RunReader(Base64Url.DecodeFromChars(data));
        var cells = new float[rows * columns];
        for (var filled = 0; filled < cells.Length;)
        {
            if (!runs.TryReadNumber(out var length) || length < 1 || length > cells.Length - filled)
                throw Broken($"the runs do not give {cells.Length} cells");
            cells.AsSpan(filled, length).Fill(ReadValue(ref runs, scale));
            filled += length;
        }

        if (!runs.AtEnd)
            throw Broken($"there is more data than {cells.Length} cells need");
        return BrushMask.FromCells(rows, columns, cells);
    }

    private static float ReadValue(ref RunReader runs, int scale)
    {
        if (scale == 0)
            return runs.TryReadFloat(out var exact) ? exact : throw Broken("the data ends in the middle of a run");
        return runs.TryReadNumber(out var value) && value <= scale
            ? Value(value, scale)
            : throw Broken($"a run has no value from 0 to {scale}");
    }

    private static bool Fits(ReadOnlySpan<float> cells, int scale)
    {
        foreach (var cell in cells)
        {
            if (Value(Quantized(cell, scale), scale) != cell)
                return false;
        }

        return true;
    }

    private static int Quantized(float value, int scale) => (int)Math.Round((double)value * scale);

    private static float Value(int quantized, int scale) => (float)((double)quantized / scale);

    private static bool TryWhole(string text, out int value) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);

    private static RecipeException Broken(string problem) => new(BrushMask.FieldName, problem);
}

/// <summary>A mask as a JSON array of rows, each an array of numbers.</summary>
internal static class MaskRows
{
    // A number takes at most 25 characters, plus a comma.
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
                throw new RecipeException(BrushMask.FieldName, $"row {row} is not an array of {columnCount} numbers like the first row");
            var column = 0;
            foreach (var value in values.EnumerateArray())
            {
                if (value.ValueKind != JsonValueKind.Number)
                    throw new RecipeException(BrushMask.FieldName, $"the cell in row {row}, column {column} is not a number");
                // Checked before rounding to float32, so that 1.00000001 is rejected rather than rounded to 1.
                if (value.GetDouble() is not (>= 0 and <= 1))
                    throw BrushMask.OutOfRange(row, column, value.GetDouble());
                cells[(row * columnCount) + column++] = value.GetSingle();
            }

            row++;
        }

        return BrushMask.FromCells(rowCount, columnCount, cells);
    }
}
