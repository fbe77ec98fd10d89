namespace SaeUnbox.Core;

/// <summary>One of the seven passes of an interlaced PNG: every so many columns and rows from a first one on.</summary>
internal readonly record struct PngPass(int X, int Y, int StepX, int StepY)
{
    public static readonly PngPass[] Adam7 =
        [new(0, 0, 8, 8), new(4, 0, 8, 8), new(0, 4, 4, 8), new(2, 0, 4, 4), new(0, 2, 2, 4), new(1, 0, 2, 2), new(0, 1, 1, 2)];

    /// <summary>Columns and rows of the pass in a picture of this size; 0 where it has none.</summary>
    public (int Columns, int Rows) SizeIn(int width, int height) => ((width - X + StepX - 1) / StepX, (height - Y + StepY - 1) / StepY);

    /// <summary>Puts the pixels of the pass to their places.</summary>
    public void Spread(ReadOnlySpan<byte> part, int columns, int channels, Span<byte> pixels, int width)
    {
        for (var from = 0; from < part.Length; from += channels)
        {
            var (row, column) = Math.DivRem(from / channels, columns);
            part.Slice(from, channels).CopyTo(pixels[((((Y + (row * StepY)) * width) + X + (column * StepX)) * channels)..]);
        }
    }
}
