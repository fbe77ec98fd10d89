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
