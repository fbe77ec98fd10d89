namespace SaeUnbox.Core;

/// <summary>A table of 256 colours for numbers from 0 to 1, piecewise linear in each channel.</summary>
public sealed class ColourMap
{
    /// <summary>Number of colours.</summary>
    public const int Size = 256;

    private readonly double[] _table = new double[Size * 3];

    private ColourMap(string name, (double At, double Value)[] red, (double At, double Value)[] green, (double At, double Value)[] blue)
    {
        Name = name;
        Fill(0, red);
        Fill(1, green);
        Fill(2, blue);
    }

    /// <summary>From blue through cyan, green and yellow to red. The same entries as matplotlib's jet.</summary>
    public static ColourMap Jet { get; } = new(
        "jet",
        red: [(0, 0), (0.35, 0), (0.66, 1), (0.89, 1), (1, 0.5)],
        green: [(0, 0), (0.125, 0), (0.375, 1), (0.64, 1), (0.91, 0), (1, 0)],
        blue: [(0, 0.5), (0.11, 1), (0.34, 1), (0.65, 0), (1, 0)]);

    /// <summary>From violet through green to yellow, perceptually uniform. Interpolates eleven colours of matplotlib's viridis.</summary>
    public static ColourMap Viridis { get; } = Through(
        "viridis", 0x440154, 0x482475, 0x414487, 0x355F8D, 0x2A788E, 0x21918C, 0x22A884, 0x44BF70, 0x7AD151, 0xBDDF26, 0xFDE725);

    /// <summary>From black through red to pale yellow, perceptually uniform. Interpolates eleven colours of matplotlib's inferno.</summary>
    public static ColourMap Inferno { get; } = Through(
        "inferno", 0x000004, 0x160B39, 0x420A68, 0x6A176E, 0x932667, 0xBC3754, 0xDD513A, 0xF37819, 0xFCA50A, 0xF6D746, 0xFCFFA4);

    public static ColourMap Grey { get; } = Through("grey", 0x000000, 0xFFFFFF);

    public static IReadOnlyList<ColourMap> All { get; } = [Jet, Viridis, Inferno, Grey];

    public string Name { get; }

    /// <summary>256 x 3 values from 0 to 1, in the order red, green, blue.</summary>
    public ReadOnlySpan<double> Table => _table;

    /// <summary>Index of the colour for a value from 0 to 1.</summary>
    public static int Entry(double value) => Math.Clamp((int)(value * Size), 0, Size - 1);

    /// <summary>A colour in bytes, truncated like those of the original demo.</summary>
    public (byte Red, byte Green, byte Blue) Colour(int entry) =>
        (Byte(_table[entry * 3]), Byte(_table[(entry * 3) + 1]), Byte(_table[(entry * 3) + 2]));

    private static byte Byte(double value) => (byte)(value * 255);

    private static ColourMap Through(string name, params int[] colours)
    {
        (double At, double Value)[] Channel(int shift) =>
            [.. colours.Select((colour, i) => (i / (colours.Length - 1.0), ((colour >> shift) & 0xFF) / 255.0))];
        return new(name, Channel(16), Channel(8), Channel(0));
    }

    // Uses the order of operations of matplotlib's LinearSegmentedColormap, so that results agree to the last bit.
    private void Fill(int channel, (double At, double Value)[] points)
    {
        const double Step = 1.0 / (Size - 1);
        for (var i = 0; i < Size; i++)
        {
            var position = i == Size - 1 ? Size - 1 : (Size - 1) * (i * Step);
            var next = Array.FindIndex(points, point => point.At * (Size - 1) >= position);
            _table[(i * 3) + channel] = Math.Clamp(next == 0 ? points[0].Value : Between(points[next - 1], points[next], position), 0, 1);
        }
    }

    private static double Between((double At, double Value) before, (double At, double Value) after, double position)
    {
        double from = before.At * (Size - 1), to = after.At * (Size - 1);
        return ((position - from) / (to - from) * (after.Value - before.Value)) + before.Value;
    }
}

/// <summary>
/// Draws a feature's activation over a picture like the original demo: it scales the map to 0..1 by its minimum and maximum, draws each
/// cell over its block of pixels, makes the lowest colour transparent, and blends the others at a constant opacity.
/// </summary>
public static class HeatmapOverlay
{
    public const double Opacity = 0.6;

    /// <param name="picture">The background; its alpha is kept.</param>
    /// <param name="map">rows x columns values, row by row. A constant map draws nothing.</param>
    /// <param name="colours">Null for jet.</param>
    /// <param name="opacity">0 to 1.</param>
    /// <returns>An RGBA picture of the same size.</returns>
    /// <exception cref="ArgumentException">The map does not hold rows x columns values.</exception>
    public static Picture Draw(
        Picture picture, ReadOnlySpan<float> map, int rows, int columns, ColourMap? colours = null, double opacity = Opacity)
    {
        if (rows < 1 || columns < 1 || map.Length != rows * columns)
            throw new ArgumentException($"a map of {map.Length} values does not fill {rows} x {columns} cells", nameof(map));
        colours ??= ColourMap.Jet;
        var alpha = (byte)(Math.Clamp(opacity, 0, 1) * 255);
        var entries = Entries(map);
        var pixels = picture.ToRgba().Pixels.ToArray();
        for (var y = 0; y < picture.Height; y++)
        {
            var row = (int)((long)y * rows / picture.Height) * columns;
            for (var x = 0; x < picture.Width; x++)
            {
                var entry = entries[row + (int)((long)x * columns / picture.Width)];
                if (entry > 0)
                    Blend(pixels.AsSpan(((y * picture.Width) + x) * 4, 4), colours.Colour(entry), alpha);
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
            entries[i] = ColourMap.Entry((map[i] - least) / (largest - least));
        return entries;
    }

    // Source-over blending in integers, with the rounding of Pillow's alpha_composite.
    private static void Blend(Span<byte> below, (byte Red, byte Green, byte Blue) colour, byte alpha)
    {
        const int Bits = 7;
        if (alpha == 0)
            return;
        var total = (alpha * 255) + (below[3] * (255 - alpha));
        var share = alpha * 255 * 255 * (1 << Bits) / total;
        var rest = (255 * (1 << Bits)) - share;
        below[0] = Mix(colour.Red, below[0]);
        below[1] = Mix(colour.Green, below[1]);
        below[2] = Mix(colour.Blue, below[2]);
        below[3] = (byte)By255(total + 0x80);

        byte Mix(int above, int under) => (byte)(By255((above * share) + (under * rest) + (0x80 << Bits)) >> Bits);

        static int By255(int value) => ((value >> 8) + value) >> 8;
    }
}
