namespace SaeUnbox.Core;

/// <summary>
/// Draws a feature's activation over a picture like the original demo: it scales the map to 0..1 by its minimum and maximum, draws each
/// cell over its block of pixels, makes the lowest colour transparent, and blends the others at a constant opacity.
/// </summary>
public static class HeatmapOverlay
{
    private const byte Alpha = (byte)(0.6 * 255);

    /// <param name="picture">The background; its alpha is kept.</param>
    /// <param name="map">rows x columns values, row by row. A constant map draws nothing.</param>
    /// <returns>An RGBA picture of the same size.</returns>
    /// <exception cref="ArgumentException">The map does not hold rows x columns values.</exception>
    public static Picture Draw(Picture picture, ReadOnlySpan<float> map, int rows, int columns)
    {
        if (rows < 1 || columns < 1 || map.Length != rows * columns)
            throw new ArgumentException($"a map of {map.Length} values does not fill {rows} x {columns} cells", nameof(map));
        var entries = Entries(map);
        var pixels = picture.ToRgba().Pixels.ToArray();
        for (var y = 0; y < picture.Height; y++)
        {
            var row = (int)((long)y * rows / picture.Height) * columns;
            for (var x = 0; x < picture.Width; x++)
            {
                var entry = entries[row + (int)((long)x * columns / picture.Width)];
                if (entry > 0)
                    Blend(pixels.AsSpan(((y * picture.Width) + x) * 4, 4), JetColours.At(entry));
            }
        }

        return new(picture.Width, picture.Height, 4, pixels);
    }

    private static int[] Entries(ReadOnlySpan<float> map)
    {
        double least = double.PositiveInfinity, largest = double.NegativeInfinity;
        foreach (var value in map)
        {
            least = Math.Min(least, value);
            largest = Math.Max(largest, value);
        }

        var entries = new int[map.Length];
        if (!(largest > least && double.IsFinite(largest - least)))
            return entries;
        for (var i = 0; i < entries.Length; i++)
            entries[i] = JetColours.Entry((map[i] - least) / (largest - least));
        return entries;
    }

    // Source-over blending in integers, with the rounding of Pillow's alpha_composite.
    private static void Blend(Span<byte> below, (byte Red, byte Green, byte Blue) colour)
    {
        const int Bits = 7;
        var total = (Alpha * 255) + (below[3] * (255 - Alpha));
        var share = Alpha * 255 * 255 * (1 << Bits) / total;
        var rest = (255 * (1 << Bits)) - share;
        below[0] = Mix(colour.Red, below[0]);
        below[1] = Mix(colour.Green, below[1]);
        below[2] = Mix(colour.Blue, below[2]);
        below[3] = (byte)By255(total + 0x80);

        byte Mix(int above, int under) => (byte)(By255((above * share) + (under * rest) + (0x80 << Bits)) >> Bits);

        static int By255(int value) => ((value >> 8) + value) >> 8;
    }
}

/// <summary>
/// 256 colours for numbers from 0 to 1, from blue through cyan, green and yellow to red: the entries of matplotlib's jet.
/// </summary>
internal static class JetColours
{
    public const int Size = 256;

    private static readonly (double At, double Value)[][] Channels =
    [
        [(0, 0), (0.35, 0), (0.66, 1), (0.89, 1), (1, 0.5)],
        [(0, 0), (0.125, 0), (0.375, 1), (0.64, 1), (0.91, 0), (1, 0)],
        [(0, 0.5), (0.11, 1), (0.34, 1), (0.65, 0), (1, 0)],
    ];

    private static readonly (byte Red, byte Green, byte Blue)[] Table =
        [.. Enumerable.Range(0, Size).Select(i => (Byte(Channels[0], i), Byte(Channels[1], i), Byte(Channels[2], i)))];

    /// <summary>Index of the colour for a value from 0 to 1.</summary>
    public static int Entry(double value) => Math.Clamp((int)(value * Size), 0, Size - 1);

    public static (byte Red, byte Green, byte Blue) At(int entry) => Table[entry];

    // Uses the order of operations of matplotlib's LinearSegmentedColormap, so that results agree to the last bit, and truncates to bytes
    // like the original demo.
    private static byte Byte((double At, double Value)[] points, int entry)
    {
        const double Step = 1.0 / (Size - 1);
        var position = entry == Size - 1 ? Size - 1 : (Size - 1) * (entry * Step);
        var next = Array.FindIndex(points, point => point.At * (Size - 1) >= position);
        var value = next == 0 ? points[0].Value : Between(points[next - 1], points[next], position);
        return (byte)(Math.Clamp(value, 0, 1) * 255);
    }

    private static double Between((double At, double Value) before, (double At, double Value) after, double position)
    {
        double from = before.At * (Size - 1), to = after.At * (Size - 1);
        return ((position - from) / (to - from) * (after.Value - before.Value)) + before.Value;
    }
}
