using System.Buffers;

namespace SaeUnbox.Mini.Scenes.Drawing;

/// <summary>The part of the landscape at a pixel, ignoring things in front of it.</summary>
internal enum Surface : byte { Sky, Far, Ground }

/// <summary>
/// A square picture, painted back to front. Besides float colours it has two maps with the surface and the thing at each pixel, so that
/// labels come from the same shapes as the picture.
/// </summary>
internal sealed class Canvas : IDisposable
{
    private readonly CoverageMask _mask;
    private readonly float[] _pixels;

    public Canvas(int size)
    {
        (Size, _mask, _pixels) = (size, new(size), ArrayPool<float>.Shared.Rent(size * size * 3));
        Pixels.Clear();
        (Surfaces, Things) = (new Surface[size * size], new byte[size * size]);
    }

    public int Size { get; }

    /// <summary>[row, column, channel], 0 to 255; valid until disposal.</summary>
    public Span<float> Pixels => _pixels.AsSpan(0, Size * Size * 3);

    public Surface[] Surfaces { get; }

    /// <summary>Per pixel: 0 for nothing, i for the i-th thing (from 1).</summary>
    public byte[] Things { get; }

    /// <summary>The current shape, in pixels. <see cref="Fill"/> paints and clears it.</summary>
    public CoverageMask Shape => _mask;

    /// <summary>Paints the shape with a colour per row. <paramref name="mark"/> sets the maps of covered pixels.</summary>
    public void Fill(Func<int, Rgb> colorOfRow, float opacity, Mark mark)
    {
        for (var row = _mask.Top; row < _mask.Bottom; row++)
        {
            var coverage = _mask.Coverage(row, out var first);
            Blend(Pixels.Slice((row * Size + first) * 3, coverage.Length * 3), coverage, colorOfRow(row), opacity);
            if (mark.Surface is { } surface)
                Write(Surfaces.AsSpan(row * Size + first, coverage.Length), coverage, surface);
            if (mark.Thing is { } thing)
                Write(Things.AsSpan(row * Size + first, coverage.Length), coverage, thing);
        }
        _mask.Clear();
    }

    public void Dispose()
    {
        _mask.Dispose();
        ArrayPool<float>.Shared.Return(_pixels);
    }

    private static void Blend(Span<float> pixels, ReadOnlySpan<float> coverage, Rgb color, float opacity)
    {
        for (var i = 0; i < coverage.Length && 3 * i + 2 < pixels.Length; i++)
        {
            var alpha = coverage[i] * opacity;
            if (alpha == 0)
                continue;
            pixels[3 * i] += (color.R - pixels[3 * i]) * alpha;
            pixels[3 * i + 1] += (color.G - pixels[3 * i + 1]) * alpha;
            pixels[3 * i + 2] += (color.B - pixels[3 * i + 2]) * alpha;
        }
    }

    private static void Write<T>(Span<T> map, ReadOnlySpan<float> coverage, T value)
    {
        for (var i = 0; i < coverage.Length; i++)
            if (coverage[i] >= .5f)
                map[i] = value;
    }
}

/// <summary>The entries in the maps for pixels under a shape; null leaves a map unchanged.</summary>
internal readonly record struct Mark(Surface? Surface = null, byte? Thing = null);
