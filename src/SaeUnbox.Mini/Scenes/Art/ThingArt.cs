using SaeUnbox.Mini.Scenes.Drawing;

namespace SaeUnbox.Mini.Scenes.Art;

/// <summary>
/// The things, each drawn in coordinates of its own size: things of the ground stand on (0, 0) and reach to about (0, -1),
/// things of the sky have their middle there.
/// </summary>
internal static partial class ThingArt
{
    private static readonly Rgb Black = new(52, 50, 64), White = new(252, 252, 255);

    public static void Paint(Pen pen, ThingKind kind, ThingColor color)
    {
        var paint = Of(color);
        switch (kind)
        {
            case ThingKind.House: House(pen, paint); break;
            case ThingKind.Pine: Pine(pen); break;
            case ThingKind.Tree: Tree(pen); break;
            case ThingKind.Palm: Palm(pen); break;
            case ThingKind.Flower: Flower(pen, paint, color); break;
            case ThingKind.Mushroom: Mushroom(pen, paint); break;
            case ThingKind.Boat: Boat(pen, paint); break;
            case ThingKind.Snowman: Snowman(pen); break;
            case ThingKind.Cat: Cat(pen, paint); break;
            case ThingKind.Cactus: Cactus(pen); break;
            case ThingKind.Cloud: Cloud(pen); break;
            case ThingKind.Balloon: Balloon(pen, paint); break;
            default: Bird(pen); break;
        }
    }

    private static Rgb Of(ThingColor color) => color switch
    {
        ThingColor.Red => new(226, 68, 62),
        ThingColor.Yellow => new(250, 206, 72),
        ThingColor.Blue => new(64, 118, 216),
        _ => new(158, 92, 198),
    };

    private static void House(Pen pen, Rgb color)
    {
        pen.Rectangle(new(120, 74, 66), .15f, -.96f, .27f, -.6f);
        pen.Rectangle(color, -.38f, -.54f, .38f, 0);
        pen.Rectangle(color.Darker(.84f), .20f, -.54f, .38f, 0);
        pen.Polygon(new(122, 72, 64), -.47f, -.51f, 0, -1f, .47f, -.51f);
        pen.Polygon(new(98, 56, 54), 0, -1f, .47f, -.51f, .18f, -.51f);
        pen.Rectangle(new(104, 68, 52), -.085f, -.31f, .085f, 0);
        var night = pen.Grade.IsNight;
        foreach (var x in (ReadOnlySpan<float>)[-.325f, .145f])
        {
            pen.Rectangle(White.Darker(.94f), x - .02f, -.43f, x + .20f, -.20f);
            pen.Rectangle(night ? new(255, 224, 120) : new(150, 206, 236), x + .01f, -.40f, x + .17f, -.23f, night);
        }
    }

    private static void Boat(Pen pen, Rgb color)
    {
        pen.Rectangle(new(104, 72, 56), -.025f, -1f, .025f, -.18f);
        pen.Polygon(color, .05f, -.97f, .46f, -.29f, .05f, -.29f);
        pen.Polygon(White.Darker(.97f), -.05f, -.86f, -.37f, -.29f, -.05f, -.29f);
        pen.Polygon(new(140, 86, 62), -.45f, -.22f, .47f, -.22f, .32f, .01f, -.32f, .01f);
        pen.Polygon(new(236, 226, 210), -.45f, -.22f, .47f, -.22f, .44f, -.165f, -.42f, -.165f);
    }

    private static void Snowman(Pen pen)
    {
        pen.Ellipse(White.Darker(.90f), 0, -.25f, .29f, .27f);
        pen.Ellipse(White, -.025f, -.265f, .262f, .25f);
        pen.Ellipse(White.Darker(.92f), 0, -.62f, .205f, .195f);
        pen.Ellipse(White, -.02f, -.63f, .185f, .175f);
        pen.Line(new(110, 78, 60), .035f, .22f, -.36f, .42f, -.52f);
        pen.Line(new(110, 78, 60), .035f, -.22f, -.36f, -.42f, -.50f);
        pen.Polygon(new(218, 62, 60), -.18f, -.48f, .18f, -.48f, .19f, -.41f, .12f, -.41f, .12f, -.26f, .03f, -.26f, .03f, -.41f, -.19f, -.41f);
        pen.Rectangle(Black, -.22f, -.82f, .22f, -.765f);
        pen.Rectangle(Black, -.145f, -1.02f, .145f, -.78f);
        pen.Polygon(new(244, 142, 46), -.01f, -.655f, .22f, -.60f, -.01f, -.57f);
        pen.Ellipses(Black, -.075f, -.69f, .03f, .03f, .075f, -.69f, .03f, .03f, 0, -.18f, .033f, .033f, 0, -.31f, .033f, .033f);
    }

    private static void Cat(Pen pen, Rgb color)
    {
        var dark = color.Darker(.82f);
        pen.Line(dark, .10f, .18f, -.07f, .36f, -.10f, .43f, -.24f, .40f, -.42f);
        pen.Ellipse(color, 0, -.26f, .26f, .28f);
        pen.Ellipse(color.Lighter(.5f), 0, -.19f, .14f, .17f);
        pen.Polygon(dark, -.26f, -.60f, -.24f, -.96f, -.02f, -.74f);
        pen.Polygon(dark, .26f, -.60f, .24f, -.96f, .02f, -.74f);
        pen.Ellipse(color, 0, -.62f, .27f, .22f);
        pen.Ellipses(Black, -.11f, -.65f, .042f, .058f, .11f, -.65f, .042f, .058f);
        pen.Ellipse(color.Lighter(.5f), 0, -.53f, .11f, .075f);
        pen.Polygon(new(238, 120, 130), -.045f, -.58f, .045f, -.58f, 0, -.525f);
    }

    private static void Cloud(Pen pen)
    {
        pen.Ellipses(new(224, 232, 244), -.30f, .04f, .20f, .145f, .32f, .05f, .18f, .13f, 0, .10f, .46f, .10f, 0, -.02f, .29f, .21f);
        pen.Ellipses(White, -.25f, 0, .19f, .135f, .26f, .01f, .17f, .12f, 0, -.06f, .29f, .21f, 0, .05f, .40f, .075f);
    }

    private static void Balloon(Pen pen, Rgb color)
    {
        pen.Line(new(104, 80, 66), .028f, -.15f, .2f, -.075f, .5f);
        pen.Line(new(104, 80, 66), .028f, .15f, .2f, .075f, .5f);
        pen.Polygon(color, -.325f, .06f, .325f, .06f, .10f, .38f, -.10f, .38f);
        pen.Ellipse(color, 0, -.1f, .38f, .38f);
        pen.Polygon(color.Lighter(.42f), -.185f, .06f, .185f, .06f, .055f, .38f, -.055f, .38f);
        pen.Ellipse(color.Lighter(.42f), 0, -.1f, .215f, .38f);
        pen.Polygon(color, -.07f, .06f, .07f, .06f, .022f, .38f, -.022f, .38f);
        pen.Ellipse(color, 0, -.1f, .08f, .38f);
        pen.Rectangle(new(146, 96, 62), -.11f, .47f, .11f, .64f);
        pen.Rectangle(new(116, 74, 50), -.11f, .47f, .11f, .51f);
    }

    private static void Bird(Pen pen)
    {
        foreach (var (x, y, size) in (ReadOnlySpan<(float, float, float)>)[(-.20f, .10f, 1f), (.22f, -.14f, .8f)])
            pen.Line(Black, .075f * size,
                x - .26f * size, y - .08f * size, x - .14f * size, y - .17f * size, x, y,
                x + .14f * size, y - .17f * size, x + .26f * size, y - .08f * size);
    }
}
