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
        pen.Gradient([pen.Grade.Apply(palette.Far), pen.Grade.Apply(palette.Near)], horizon, 1);
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

/// <summary>Draws the layer at the horizon. Its heights are four numbers from -1.5 to 1.5, one per quarter of the width.</summary>
internal static class FarArt
{
    private static readonly int[] BackToFront = [1, 3, 0, 2];

    public static void Paint(Pen pen, SceneFar far, ReadOnlySpan<float> heights, float horizon)
    {
        switch (far)
        {
            case SceneFar.Hills: Hills(pen, heights, horizon); break;
            case SceneFar.Forest: Forest(pen, heights, horizon); break;
            case SceneFar.Mountains: Mountains(pen, heights, horizon); break;
            default: City(pen, heights, horizon); break;
        }
    }

    private static void Hills(Pen pen, ReadOnlySpan<float> heights, float horizon)
    {
        foreach (var k in BackToFront)
        {
            var back = k % 2 == 1;
            var (x, height) = (.125f + .25f * k, (back ? .135f : .10f) + .02f * heights[k]);
            pen.Dome(back ? new(136, 190, 140) : new(100, 164, 114), x, horizon + .01f, .25f, height);
        }
    }

    private static void Forest(Pen pen, ReadOnlySpan<float> heights, float horizon)
    {
        for (var row = 0; row < 2; row++)
        {
            var color = row == 0 ? new Rgb(78, 138, 108) : new Rgb(50, 104, 84);
            for (var i = 0; i < 11 + row; i++)
            {
                var x = (i + .5f * (1 - row)) / 11;
                var height = .125f + .016f * heights[Math.Min(3, i * 4 / 11)] + (i % 2 == 0 ? .018f : 0) - .042f * row;
                pen.Polygon(color, x - .062f, horizon + .01f, x, horizon - height, x + .062f, horizon + .01f);
            }
        }
    }

    private static void Mountains(Pen pen, ReadOnlySpan<float> heights, float horizon)
    {
        foreach (var k in BackToFront)
        {
            var back = k % 2 == 1;
            var (x, width, height) = (.125f + .25f * k, .215f, (back ? .19f : .225f) + .03f * heights[k]);
            var color = back ? new Rgb(134, 142, 186) : new Rgb(108, 116, 164);
            var (foot, peak) = (horizon + .01f, horizon - height);
            pen.Polygon(color, x - width, foot, x, peak, x + width, foot);
            pen.Polygon(color.Darker(.84f), x, peak, x + width, foot, x + width * .2f, foot);
            const float cap = .34f;
            var snow = peak + height * cap;
            pen.Polygon(new(248, 250, 255),
                x, peak, x + width * cap, snow, x + width * .17f, snow - height * .07f, x + width * .02f, snow + height * .07f,
                x - width * .16f, snow - height * .06f, x - width * cap, snow);
        }
    }

    private static void City(Pen pen, ReadOnlySpan<float> heights, float horizon)
    {
        ReadOnlySpan<(float X, float Width, float Rise)> towers = [(0, .078f, -.035f), (.082f, .082f, .05f), (.168f, .078f, .005f)];
        for (var k = 0; k < 4; k++)
            for (var i = 0; i < towers.Length; i++)
            {
                var (left, width, rise) = towers[i];
                var height = .15f + .02f * heights[k] + rise * (k % 2 == 0 ? 1 : .55f);
                Tower(pen, .25f * k + left, width, height, horizon, i == 1 ? new(104, 112, 152) : new(132, 140, 176));
            }
    }

    private static void Tower(Pen pen, float left, float width, float height, float horizon, Rgb color)
    {
        var top = horizon - height;
        pen.Rectangle(color, left, top, left + width, horizon + .01f);
        pen.Rectangle(color.Darker(.86f), left + width * .78f, top, left + width, horizon + .01f);
        var night = pen.Grade.IsNight;
        for (var y = top + .018f; y < horizon - .02f; y += .036f)
            for (var column = 0; column < 2; column++)
            {
                var x = left + width * (.14f + .32f * column);
                pen.Rectangle(night ? new(255, 220, 124) : new(208, 222, 240), x, y, x + width * .2f, y + .018f, night);
            }
    }
}

/// <summary>Draws the sky of each time of day, with sun, moon and stars.</summary>
internal static class SkyArt
{
    // Fixed, irregular positions of the stars (x, y, radius).
    private static readonly (float X, float Y, float R)[] Stars =
    [
        (.04f, .07f, .0055f), (.13f, .21f, .004f), (.20f, .05f, .0045f), (.27f, .30f, .005f), (.36f, .12f, .006f), (.40f, .24f, .004f),
        (.45f, .05f, .0045f), (.52f, .17f, .0055f), (.57f, .33f, .004f), (.62f, .08f, .005f), (.68f, .24f, .0045f), (.93f, .05f, .005f),
        (.90f, .29f, .0055f), (.97f, .18f, .004f), (.08f, .38f, .0045f), (.36f, .40f, .004f), (.73f, .38f, .005f), (.06f, .29f, .004f),
        (.48f, .42f, .0045f), (.17f, .13f, .004f), (.83f, .40f, .004f), (.63f, .18f, .004f), (.96f, .39f, .0045f), (.24f, .42f, .004f),
    ];

    public static Rgb[] Colors(SceneTime time) => time switch
    {
        SceneTime.Day => [new(70, 156, 232), new(136, 202, 246), new(218, 240, 250)],
        SceneTime.Sunset => [new(92, 58, 130), new(234, 106, 98), new(255, 206, 118)],
        SceneTime.Night => [new(16, 22, 62), new(32, 46, 104), new(76, 94, 158)],
        _ => [new(124, 150, 216), new(206, 184, 218), new(255, 218, 200)],
    };

    /// <param name="sunAtLeft">Which of its two positions the sun or moon has.</param>
    public static void Paint(Pen pen, SceneTime time, bool sunAtLeft, float horizon)
    {
        var colors = Colors(time);
        pen.Gradient(colors, 0, horizon + .01f);
        var x = sunAtLeft ? .23f : .77f;
        switch (time)
        {
            case SceneTime.Day:
                Body(pen, x, .15f, .068f, new(255, 214, 74), new(255, 246, 200), 1.42f);
                break;
            case SceneTime.Sunset:
                Body(pen, x, .41f, .105f, new(255, 238, 164), new(255, 196, 116), 1.5f);
                break;
            case SceneTime.Dawn:
                Body(pen, x, .34f, .074f, new(255, 252, 240), new(255, 234, 218), 1.5f);
                break;
            default:
                foreach (var star in Stars)
                    pen.Ellipse(new(252, 246, 216), star.X, star.Y, star.R, star.R, 1, true);
                pen.Ellipse(new(252, 240, 196), x, .15f, .078f, .078f, 1, true);
                pen.Ellipse(Rgb.Mix(colors[0], colors[1], .5f), x + .038f, .134f, .066f, .066f, 1, true);
                break;
        }
    }

    private static void Body(Pen pen, float x, float y, float radius, Rgb color, Rgb halo, float reach)
    {
        pen.Ellipse(halo, x, y, radius * reach, radius * reach, .35f, true);
        pen.Ellipse(halo, x, y, radius * (1 + reach) / 2, radius * (1 + reach) / 2, .55f, true);
        pen.Ellipse(color, x, y, radius, radius, 1, true);
    }
}
