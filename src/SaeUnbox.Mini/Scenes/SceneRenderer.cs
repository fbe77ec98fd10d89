using SaeUnbox.Mini.Scenes.Art;
using SaeUnbox.Mini.Scenes.Drawing;

namespace SaeUnbox.Mini.Scenes;

/// <summary>Draws scenes at any size.</summary>
public static class SceneRenderer
{
    public const int DefaultSize = 256;

    /// <summary>Height of the horizon as a fraction of the side, from the top.</summary>
    public const float Horizon = .56f;

    public static ScenePicture Render(Scene scene, int size = DefaultSize)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 32);
        var (facts, noise) = (scene.Facts, scene.Noise);
        using var canvas = new Canvas(size);
        var pen = new Pen(canvas, Grade.Of(facts.Time), default);
        SkyArt.Paint(pen.At(0, 0, 1, new(Surface.Sky)), facts.Time, noise[3, 0, 0] < 0, Horizon);
        FarArt.Paint(pen.At(0, 0, 1, new(Surface.Far)), facts.Far, FarHeights(noise), Horizon);
        GroundArt.Paint(pen.At(0, 0, 1, new(Surface.Ground)), facts.Ground, Horizon);
        var things = scene.Things();
        var thingPen = new Pen(canvas, Grade.OfThings(facts.Time), default);
        for (var i = 0; i < things.Count; i++)
        {
            var thing = things[i];
            // Things that a brush puts above the horizon have no shadow.
            if (!thing.Kind.IsOfSky() && thing.Y > Horizon)
                GroundArt.PaintFooting(pen.At(thing.X, thing.Y, thing.Size, default), facts.Ground, thing.Kind);
            ThingArt.Paint(thingPen.At(thing.X, thing.Y, thing.Size, new(null, (byte)(i + 1))), thing.Kind, thing.Color);
        }
        StyleFilter.Apply(facts.Style, canvas.Pixels, size);
        return new ScenePicture(scene, things, canvas);
    }

    private static float[] FarHeights(NoisePatches noise) =>
        [.. Enumerable.Range(0, NoisePatches.Side).Select(column => Math.Clamp(noise[3, 1, column], -1.5f, 1.5f))];
}

/// <summary>A rendered scene: its pixels, and what each pixel shows.</summary>
public sealed class ScenePicture
{
    private readonly Surface[] _surfaces;
    private readonly byte[] _thingsShown;

    internal ScenePicture(Scene scene, IReadOnlyList<PlacedThing> things, Canvas canvas)
    {
        (Scene, Things, Size) = (scene, things, canvas.Size);
        (_surfaces, _thingsShown) = (canvas.Surfaces, canvas.Things);
        var pixels = canvas.Pixels;
        Rgb = new byte[pixels.Length];
        for (var i = 0; i < Rgb.Length; i++)
            Rgb[i] = (byte)Math.Clamp(pixels[i] + .5f, 0, 255);
    }

    public Scene Scene { get; }

    /// <summary>Side in pixels.</summary>
    public int Size { get; }

    /// <summary>[row, column, channel], in the order red, green, blue.</summary>
    public byte[] Rgb { get; }

    /// <summary>All things, in drawing order.</summary>
    public IReadOnlyList<PlacedThing> Things { get; }

    internal Surface SurfaceAt(int row, int column) => _surfaces[row * Size + column];

    /// <summary>Index in <see cref="Things"/> of the thing at a pixel; -1 for none.</summary>
    public int ThingAt(int row, int column) => _thingsShown[row * Size + column] - 1;
}

/// <summary>The filters for a finished picture. Lengths are relative to its side, so that they look alike at every size.</summary>
internal static class StyleFilter
{
    public static void Apply(SceneStyle style, Span<float> pixels, int size)
    {
        switch (style)
        {
            case SceneStyle.Mosaic: Mosaic(pixels, size); break;
            case SceneStyle.Stripes: Stripes(pixels, size); break;
            case SceneStyle.Sketch: Sketch(pixels, size); break;
        }
    }

    // Tiles of 1/32 of the side, each of one colour, with a dark joint at the top and left edges.
    private static void Mosaic(Span<float> pixels, int size)
    {
        for (var ty = 0; ty < 32; ty++)
            for (var tx = 0; tx < 32; tx++)
                Tile(pixels, size, (tx * size / 32, (tx + 1) * size / 32), (ty * size / 32, (ty + 1) * size / 32));
    }

    private static void Tile(Span<float> pixels, int size, (int From, int To) x, (int From, int To) y)
    {
        var joint = Math.Max(1, size / 256);
        Span<float> mean = stackalloc float[3];
        for (var row = y.From; row < y.To; row++)
            for (var column = x.From; column < x.To; column++)
                for (var c = 0; c < 3; c++)
                    mean[c] += pixels[(row * size + column) * 3 + c];
        var count = Math.Max(1, (x.To - x.From) * (y.To - y.From));
        for (var row = y.From; row < y.To; row++)
            for (var column = x.From; column < x.To; column++)
                for (var c = 0; c < 3; c++)
                    pixels[(row * size + column) * 3 + c] = Math.Clamp((mean[c] / count - 128) * 1.12f + 132, 0, 255)
                        * (row < y.From + joint || column < x.From + joint ? .78f : 1);
    }

    private static void Stripes(Span<float> pixels, int size)
    {
        for (var i = 0; i < pixels.Length; i++)
        {
            var (row, column) = (i / 3 / size, i / 3 % size);
            // Bands of 1/16 of the side, half dark and half light, with edges blurred by one pixel.
            var phase = (row + column) * 16f / size % 1;
            var dark = Math.Clamp((.25f - Math.Abs(phase - .25f)) * size / 16 + .5f, 0, 1);
            pixels[i] = dark * pixels[i] * .74f + (1 - dark) * (255 - (255 - pixels[i]) * .82f);
        }
    }

    // Ink lines where colours change, on paper shaded by the lightness.
    private static void Sketch(Span<float> pixels, int size)
    {
        ReadOnlySpan<float> paper = [250, 244, 228], ink = [54, 50, 62];
        var source = pixels.ToArray();
        var reach = Math.Max(1, size / 256);
        for (var row = 0; row < size; row++)
            for (var column = 0; column < size; column++)
            {
                var here = (row * size + column) * 3;
                var right = (row * size + Math.Min(size - 1, column + reach)) * 3;
                var below = (Math.Min(size - 1, row + reach) * size + column) * 3;
                float change = 0, light = 0;
                for (var c = 0; c < 3; c++)
                {
                    change += Math.Abs(source[right + c] - source[here + c]) + Math.Abs(source[below + c] - source[here + c]);
                    light += source[here + c] / 3;
                }
                var line = Math.Clamp((change - 14) / 80, 0, 1);
                var shade = .58f + .42f * MathF.Sqrt(light / 255);
                for (var c = 0; c < 3; c++)
                    pixels[here + c] = paper[c] * shade * (1 - line) + ink[c] * line;
            }
    }
}
