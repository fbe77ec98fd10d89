using SaeUnbox.Testing;

namespace SaeUnbox.Core.Tests;

public class GoldenMaskTests
{
    private const string Edits = "edits/turbo.safetensors";

    [Fact]
    public void FromPixels_DrawnMask_GivesTheOriginalCells()
    {
        var drawing = Picture.Decode(File.ReadAllBytes(Goldens.At("edits", "mask.png")));
        var pixels = drawing.PaintedPixels();
        foreach (var name in GoldenTensors.Names(Edits).Where(name => name.StartsWith("mask/drawn", StringComparison.Ordinal)))
        {
            var (cells, shape) = GoldenTensors.Values<float>(Edits, name);

            var mask = BrushMask.FromPixels(pixels, drawing.Width, drawing.Height, shape[0], shape[1]);

            Assert.Equal(cells, mask.Cells.ToArray());
        }
    }

    [Fact]
    public void Text_OfEveryGoldenMask_IsExact()
    {
        foreach (var name in GoldenTensors.Names(Edits).Where(name => name.StartsWith("mask/", StringComparison.Ordinal)))
        {
            var (cells, shape) = GoldenTensors.Values<float>(Edits, name);

            var mask = BrushMask.Parse(BrushMask.FromCells(shape[0], shape[1], cells).ToString());

            Assert.Equal(cells, mask.Cells.ToArray());
        }
    }
}
