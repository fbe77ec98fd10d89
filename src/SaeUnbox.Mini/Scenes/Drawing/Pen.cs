namespace SaeUnbox.Mini.Scenes.Drawing;

/// <summary>
/// Draws on a canvas in local coordinates: <c>at + point * scale</c>, as fractions of the picture's side, Y down. All colours are graded
/// for the time of day, except those that glow.
/// </summary>
internal readonly struct Pen(Canvas canvas, Grade grade, Mark mark, float x = 0, float y = 0, float scale = 1)
{
    public Grade Grade => grade;

    public Pen At(float newX, float newY, float newScale, Mark newMark) => new(canvas, grade, newMark, newX, newY, newScale);

    public void Polygon(Rgb color, params ReadOnlySpan<float> xy)
    {
        AddPolygon(xy);
        Fill(color);
    }

    public void Ellipse(Rgb color, float cx, float cy, float rx, float ry, float opacity = 1, bool glows = false)
    {
        AddEllipse(cx, cy, rx, ry);
        Fill(color, opacity, glows);
    }

    public void Rectangle(Rgb color, float left, float top, float right, float bottom, bool glows = false)
    {
        AddPolygon([left, top, right, top, right, bottom, left, bottom]);
        Fill(color, 1, glows);
    }

    /// <summary>A thick line with round joints and ends.</summary>
    public void Line(Rgb color, float width, params ReadOnlySpan<float> xy)
    {
        for (var i = 0; i + 3 < xy.Length; i += 2)
            AddBar(xy[i], xy[i + 1], xy[i + 2], xy[i + 3], width);
        for (var i = 0; i + 1 < xy.Length; i += 2)
            AddEllipse(xy[i], xy[i + 1], width / 2, width / 2);
        Fill(color);
    }

    /// <summary>Several ellipses (cx, cy, rx, ry) as one shape, without seams.</summary>
    public void Ellipses(Rgb color, params ReadOnlySpan<float> ellipses)
    {
        for (var i = 0; i + 3 < ellipses.Length; i += 4)
            AddEllipse(ellipses[i], ellipses[i + 1], ellipses[i + 2], ellipses[i + 3]);
        Fill(color);
    }

    /// <summary>The upper half of an ellipse.</summary>
    public void Dome(Rgb color, float cx, float baseline, float rx, float ry)
    {
        const int corners = 32;
        Span<float> xy = stackalloc float[2 * (corners + 1)];
        for (var i = 0; i <= corners; i++)
            (xy[2 * i], xy[2 * i + 1]) = (cx + rx * MathF.Cos(MathF.PI * i / corners), baseline - ry * MathF.Sin(MathF.PI * i / corners));
        AddPolygon(xy);
        Fill(color);
    }

    /// <summary>Fills the whole width with a vertical gradient through the stops. Its colours are not graded.</summary>
    public void Gradient(ReadOnlySpan<Rgb> stops, float top, float bottom)
    {
        AddPolygon([0, top, 1, top, 1, bottom, 0, bottom]);
        var colors = stops.ToArray();
        var (first, height) = (ToPixels(y + top * scale), ToPixels((bottom - top) * scale));
        canvas.Fill(row => Along(colors, (row + .5f - first) / height), 1, mark);
    }

    private static Rgb Along(Rgb[] stops, float share)
    {
        var position = Math.Clamp(share, 0, 1) * (stops.Length - 1);
        var below = Math.Min((int)position, stops.Length - 2);
        return Rgb.Mix(stops[below], stops[below + 1], position - below);
    }

    private void Fill(Rgb color, float opacity = 1, bool glows = false)
    {
        var graded = glows ? color : grade.Apply(color);
        canvas.Fill(_ => graded, opacity, mark);
    }

    private void AddPolygon(ReadOnlySpan<float> xy)
    {
        Span<(float, float)> points = stackalloc (float, float)[xy.Length / 2];
        for (var i = 0; i < points.Length; i++)
            points[i] = (ToPixels(x + xy[2 * i] * scale), ToPixels(y + xy[2 * i + 1] * scale));
        canvas.Shape.AddPolygon(points);
    }

    private void AddBar(float x0, float y0, float x1, float y1, float width)
    {
        var length = MathF.Sqrt((x1 - x0) * (x1 - x0) + (y1 - y0) * (y1 - y0));
        var (nx, ny) = (-(y1 - y0) / length * width / 2, (x1 - x0) / length * width / 2);
        AddPolygon([x0 + nx, y0 + ny, x1 + nx, y1 + ny, x1 - nx, y1 - ny, x0 - nx, y0 - ny]);
    }

    private void AddEllipse(float cx, float cy, float rx, float ry)
    {
        var radius = ToPixels(Math.Max(rx, ry) * scale);
        var corners = Math.Clamp((int)(6 + 4 * MathF.Sqrt(radius)), 10, 96);
        Span<(float, float)> points = stackalloc (float, float)[corners];
        for (var i = 0; i < corners; i++)
        {
            var angle = 2 * MathF.PI * i / corners;
            points[i] = (ToPixels(x + (cx + rx * MathF.Cos(angle)) * scale), ToPixels(y + (cy + ry * MathF.Sin(angle)) * scale));
        }
        canvas.Shape.AddPolygon(points);
    }

    private float ToPixels(float share) => share * canvas.Size;
}

/// <summary>The tint of a time of day for colours that do not glow: colour * tint + offset.</summary>
internal sealed record Grade(SceneTime Time, Rgb Tint, Rgb Offset)
{
    public bool IsNight => Time == SceneTime.Night;

    public Rgb Apply(Rgb color) => new(
        Math.Clamp(color.R * Tint.R + Offset.R, 0, 255),
        Math.Clamp(color.G * Tint.G + Offset.G, 0, 255),
        Math.Clamp(color.B * Tint.B + Offset.B, 0, 255));

    /// <summary>For the landscape.</summary>
    public static Grade Of(SceneTime time) => time switch
    {
        SceneTime.Day => new(time, new(1, 1, 1), new(0, 0, 0)),
        SceneTime.Sunset => new(time, new(.92f, .72f, .66f), new(20, 8, 14)),
        SceneTime.Night => new(time, new(.50f, .46f, .50f), new(4, 12, 44)),
        _ => new(time, new(.84f, .80f, .84f), new(30, 24, 36)),
    };

    /// <summary>For things: weaker, so that they stand out and keep recognizable colours.</summary>
    public static Grade OfThings(SceneTime time) => time switch
    {
        SceneTime.Day => Of(time),
        SceneTime.Sunset => new(time, new(.96f, .83f, .78f), new(10, 4, 8)),
        SceneTime.Night => new(time, new(.66f, .64f, .68f), new(10, 16, 44)),
        _ => new(time, new(.88f, .86f, .88f), new(22, 20, 28)),
    };
}

/// <summary>A colour; each component is 0 to 255.</summary>
internal readonly record struct Rgb(float R, float G, float B)
{
    public Rgb Darker(float factor) => new(R * factor, G * factor, B * factor);

    /// <summary>Mixes the colour with white: factor 1 is the colour itself, 0 is white.</summary>
    public Rgb Lighter(float factor) => new(255 - (255 - R) * factor, 255 - (255 - G) * factor, 255 - (255 - B) * factor);

    public static Rgb Mix(Rgb a, Rgb b, float share) =>
        new(a.R + (b.R - a.R) * share, a.G + (b.G - a.G) * share, a.B + (b.B - a.B) * share);
}
