using SaeUnbox.Mini.Scenes.Drawing;

namespace SaeUnbox.Mini.Scenes;

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
