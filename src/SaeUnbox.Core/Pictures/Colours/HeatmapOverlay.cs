namespace SaeUnbox.Core;

/// <summary>
/// Draws a feature's activation over a picture as the original demo does: the map is stretched to 0..1 by its least and largest
/// value, each cell covers its block of pixels, the lowest entry of the colour map is transparent and the others are laid over
/// the picture at one opacity.
/// </summary>
public static class HeatmapOverlay
{
    public const double Opacity = 0.6;

    /// <param name="picture">What lies below; its alpha is kept.</param>
    /// <param name="map">rows x columns values, row by row. A map of one value draws nothing.</param>
    /// <param name="rows">Rows of the map.</param>
    /// <param name="columns">Columns of the map.</param>
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

    // Source over destination in integers, with the rounding of Pillow's alpha_composite.
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
