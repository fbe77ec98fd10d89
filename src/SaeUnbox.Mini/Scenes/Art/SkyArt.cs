using SaeUnbox.Mini.Scenes.Drawing;

namespace SaeUnbox.Mini.Scenes.Art;

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
        pen.Gradient(colors, 0, 0, 1, horizon + .01f);
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
