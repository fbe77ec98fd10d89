using SaeUnbox.Mini.Scenes.Drawing;

namespace SaeUnbox.Mini.Scenes.Art;

/// <summary>Draws the ground: a gradient, and rows of small marks, so that grounds differ in more than colour.</summary>
internal static class GroundArt
{
    private readonly record struct Palette(Rgb Far, Rgb Near, Rgb Mark, Rgb Shadow);

    private static Palette Of(SceneGround ground) => ground switch
    {
        SceneGround.Grass => new(new(142, 204, 92), new(78, 152, 68), new(62, 132, 60), new(56, 118, 58)),
        SceneGround.Sand => new(new(246, 222, 158), new(226, 184, 110), new(204, 156, 88), new(196, 148, 84)),
        SceneGround.Snow => new(new(248, 251, 255), new(214, 228, 242), new(186, 206, 230), new(170, 192, 220)),
        _ => new(new(86, 174, 216), new(32, 98, 166), new(164, 218, 240), new(26, 84, 146)),
    };

    public static void Paint(Pen pen, SceneGround ground, float horizon)
    {
        var palette = Of(ground);
        pen.Gradient([pen.Grade.Apply(palette.Far), pen.Grade.Apply(palette.Near)], 0, horizon, 1, 1);
        for (var row = 0; row < 4; row++)
        {
            // Marks get larger towards the viewer.
            var (y, size) = (horizon + .045f + .105f * row + .012f * row * row, .8f + .22f * row);
            for (var i = -1; i < 7; i++)
                PaintMark(pen, ground, palette.Mark, (i + (row % 2 == 0 ? .15f : .65f)) / 6.5f, y, size);
        }
    }

    /// <summary>Draws what is under a thing: its shadow or, on the sea, an islet or the foam around a hull.</summary>
    public static void PaintFooting(Pen pen, SceneGround ground, ThingKind kind)
    {
        if (ground == SceneGround.Sea && kind == ThingKind.Boat)
        {
            pen.Ellipse(new(206, 236, 246), 0, 0, .48f, .055f);
        }
        else if (ground == SceneGround.Sea)
        {
            pen.Ellipse(new(198, 230, 242), 0, .015f, .60f, .135f);
            pen.Ellipse(new(240, 214, 148), 0, 0, .54f, .11f);
        }
        else
        {
            pen.Ellipse(Of(ground).Shadow, .05f, .005f, .46f, .075f);
        }
    }

    private static void PaintMark(Pen pen, SceneGround ground, Rgb color, float x, float y, float size)
    {
        switch (ground)
        {
            case SceneGround.Grass:
                foreach (var lean in (ReadOnlySpan<float>)[-1, 0, 1])
                {
                    var (foot, tip) = (x + lean * .007f * size, x + lean * .017f * size);
                    pen.Polygon(color, foot - .005f * size, y, tip, y - (.028f - .006f * Math.Abs(lean)) * size, foot + .005f * size, y);
                }
                break;
            case SceneGround.Sand:
                pen.Line(color, .0075f * size, x, y, x + .022f * size, y - .007f * size, x + .048f * size, y - .002f * size);
                break;
            case SceneGround.Snow:
                pen.Ellipse(color, x + .03f * size, y, .030f * size, .0075f * size);
                break;
            default:
                pen.Line(color, .0085f * size,
                    x, y, x + .02f * size, y - .009f * size, x + .04f * size, y, x + .06f * size, y - .009f * size, x + .08f * size, y);
                break;
        }
    }
}
