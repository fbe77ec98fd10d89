using SaeUnbox.Mini.Scenes.Drawing;

namespace SaeUnbox.Mini.Scenes.Art;

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
