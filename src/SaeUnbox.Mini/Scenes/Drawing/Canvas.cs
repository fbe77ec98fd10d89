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

/// <summary>
/// Exact anti-aliasing: computes how much of each pixel a shape covers, by accumulating the signed area left of every edge, like font
/// rasterizers. All parts of a shape have the same orientation; overlapping parts count once.
/// </summary>
internal sealed class CoverageMask : IDisposable
{
    private readonly int _size, _stride;
    private readonly float[] _area, _row;
    private int _top, _bottom, _left, _right;

    public CoverageMask(int size)
    {
        (_size, _stride) = (size, size + 2);
        (_area, _row) = (ArrayPool<float>.Shared.Rent(size * _stride), new float[size]);
        _area.AsSpan().Clear();
        (_top, _left) = (size, size);
    }

    /// <summary>First row of the shape.</summary>
    public int Top => _top;

    /// <summary>Row after the last one of the shape.</summary>
    public int Bottom => _bottom;

    /// <summary>Coverage (0 to 1) of a row's pixels from column <paramref name="first"/> on; valid until the next call.</summary>
    public ReadOnlySpan<float> Coverage(int row, out int first)
    {
        first = _left;
        var width = Math.Max(0, Math.Min(_size, _right + 1) - _left);
        var area = _area.AsSpan(row * _stride + _left, width);
        var sum = 0f;
        for (var i = 0; i < width; i++)
        {
            sum += area[i];
            _row[i] = Math.Min(1, Math.Abs(sum));
        }
        return _row.AsSpan(0, width);
    }

    /// <summary>Returns the buffer to the pool, because it is large and thousands of pictures are drawn.</summary>
    public void Dispose() => ArrayPool<float>.Shared.Return(_area);

    public void Clear()
    {
        for (var row = _top; row < _bottom; row++)
            _area.AsSpan(row * _stride, _stride).Clear();
        (_top, _bottom, _left, _right) = (_size, 0, _size, 0);
    }

    /// <summary>Adds a closed polygon in pixels, reversed if needed, so that all parts of a shape have the same orientation.</summary>
    public void AddPolygon(ReadOnlySpan<(float X, float Y)> points)
    {
        var twiceArea = 0f;
        for (var i = 0; i < points.Length; i++)
        {
            var (a, b) = (points[i], points[(i + 1) % points.Length]);
            twiceArea += a.X * b.Y - b.X * a.Y;
        }
        for (var i = 0; i < points.Length; i++)
        {
            var (a, b) = (points[i], points[(i + 1) % points.Length]);
            if (twiceArea >= 0)
                AddEdge(a, b);
            else
                AddEdge(b, a);
        }
    }

    private void AddEdge((float X, float Y) from, (float X, float Y) to)
    {
        if (from.Y == to.Y)
            return;
        var direction = from.Y < to.Y ? 1f : -1f;
        var (upper, lower) = from.Y < to.Y ? (from, to) : (to, from);
        if (lower.Y <= 0 || upper.Y >= _size)
            return;
        var slope = (lower.X - upper.X) / (lower.Y - upper.Y);
        var x = upper.Y < 0 ? upper.X - upper.Y * slope : upper.X;
        var start = Math.Max(0, (int)upper.Y);
        var end = Math.Min(_size, (int)MathF.Ceiling(lower.Y));
        for (var row = start; row < end; row++)
        {
            var height = Math.Min(row + 1, lower.Y) - Math.Max(row, upper.Y);
            var next = x + slope * height;
            AddSegment(row, Math.Clamp(Math.Min(x, next), 0, _size), Math.Clamp(Math.Max(x, next), 0, _size), height * direction);
            x = next;
        }
        _top = Math.Min(_top, start);
        _bottom = Math.Max(_bottom, end);
    }

    // Spreads the signed height of an edge within one row over the pixels it crosses, so that a running sum gives coverage.
    private void AddSegment(int row, float left, float right, float height)
    {
        var (first, last) = ((int)left, (int)MathF.Ceiling(right));
        _left = Math.Min(_left, first);
        _right = Math.Max(_right, last);
        var area = _area.AsSpan(row * _stride, _stride);
        if (last <= first + 1)
        {
            var share = (left + right) / 2 - first;
            area[first] += height * (1 - share);
            area[first + 1] += height * share;
            return;
        }
        var perPixel = 1 / (right - left);
        var before = 0f;
        for (var column = first; column <= last && column < _stride; column++)
        {
            // Area to the right of the edge in this pixel, summed from the edge's left end.
            var (from, to) = (Math.Clamp(column, left, right), Math.Min(column + 1, right));
            var covered = Integral(to - left, perPixel) - Integral(from - left, perPixel) + column + 1 - Math.Max(to, column);
            area[column] += height * (covered - before);
            before = covered;
        }
    }

    private static float Integral(float reach, float perPixel) => reach <= 0 ? 0 : reach * reach * perPixel / 2;
}
