using SaeUnbox.Mini.Scenes.Drawing;

namespace SaeUnbox.Mini.Scenes.Art;

/// <summary>
/// Draws the things, in coordinates relative to their size: things on the ground stand at (0, 0) and reach to about (0, -1); things in the
/// sky have their centre at (0, 0).
/// </summary>
internal static class ThingArt
{
    private static readonly Rgb Black = new(52, 50, 64), White = new(252, 252, 255), Trunk = new(126, 84, 58);

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
        pen.Polygon(new(218, 62, 60), -.18f, -.48f, .18f, -.48f, .19f, -.41f, .12f, -.41f, .12f, -.26f, .03f, -.26f, .03f, -.41f, -.19f,
            -.41f);
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

    private static void Pine(Pen pen)
    {
        pen.Rectangle(Trunk.Darker(.9f), -.055f, -.2f, .055f, 0);
        ReadOnlySpan<(float Width, float Foot, float Tip)> tiers = [(.38f, -.13f, -.58f), (.31f, -.40f, -.82f), (.23f, -.66f, -1.06f)];
        for (var i = 0; i < tiers.Length; i++)
        {
            var (width, foot, tip) = tiers[i];
            var green = new Rgb(40 + 8 * i, 118 + 13 * i, 88 + 6 * i);
            pen.Polygon(green, -width, foot, 0, tip, width, foot);
            pen.Polygon(green.Darker(.80f), 0, tip, width, foot, width * .12f, foot);
        }
    }

    private static void Tree(Pen pen)
    {
        var green = new Rgb(92, 168, 74);
        pen.Polygon(Trunk, -.075f, 0, -.045f, -.45f, .045f, -.45f, .075f, 0);
        pen.Ellipses(green.Darker(.80f), .17f, -.50f, .24f, .22f, -.17f, -.50f, .24f, .22f, .02f, -.70f, .30f, .29f);
        pen.Ellipses(green, -.19f, -.53f, .20f, .18f, -.03f, -.72f, .27f, .26f, .10f, -.55f, .18f, .16f);
        pen.Ellipse(green.Lighter(.74f), -.11f, -.80f, .12f, .10f);
    }

    private static void Palm(Pen pen)
    {
        var (wood, green) = (new Rgb(158, 110, 70), new Rgb(60, 156, 86));
        Span<float> trunk = stackalloc float[14];
        for (var i = 0; i < 7; i++)
            (trunk[2 * i], trunk[2 * i + 1]) = (-.06f + .15f * MathF.Sin(i / 6f * 1.5f), -.80f * i / 6);
        pen.Line(wood, .095f, trunk);
        var (x, y) = (trunk[12], trunk[13]);
        foreach (var angle in (ReadOnlySpan<float>)[-2.95f, -.19f, -2.35f, -.79f, -1.57f])
        {
            var (tipX, tipY) = (x + .44f * MathF.Cos(angle), y + .26f * MathF.Sin(angle) + .15f * Math.Abs(MathF.Cos(angle)));
            var (middleX, middleY) = ((x + tipX) / 2, (y + tipY) / 2);
            var (normalX, normalY) = (-(tipY - y) * .30f, (tipX - x) * .30f);
            pen.Polygon(angle < -1.6f ? green : green.Darker(.84f),
                x, y, middleX + normalX, middleY + normalY, tipX, tipY + .05f, middleX - normalX * .8f, middleY - normalY * .8f);
        }
        pen.Ellipses(new(128, 80, 50), x - .05f, y + .05f, .055f, .055f, x + .06f, y + .05f, .055f, .055f);
    }

    private static void Flower(Pen pen, Rgb color, ThingColor name)
    {
        var leaf = new Rgb(78, 158, 70);
        pen.Line(leaf.Darker(.88f), .065f, 0, -.02f, 0, -.5f);
        pen.Polygon(leaf, 0, -.08f, .15f, -.26f, .32f, -.27f, .20f, -.12f);
        pen.Polygon(leaf, 0, -.16f, -.15f, -.34f, -.32f, -.35f, -.20f, -.20f);
        for (var i = 0; i < 6; i++)
        {
            var angle = i * MathF.PI / 3 + .26f;
            pen.Ellipse(i % 2 == 0 ? color : color.Darker(.87f), .20f * MathF.Cos(angle), -.68f + .20f * MathF.Sin(angle), .145f, .145f);
        }
        pen.Ellipse(name == ThingColor.Yellow ? new(156, 96, 52) : new(252, 210, 84), 0, -.68f, .135f, .135f);
    }

    private static void Mushroom(Pen pen, Rgb color)
    {
        pen.Polygon(new(246, 234, 214), -.12f, -.42f, .12f, -.42f, .17f, 0, -.17f, 0);
        pen.Polygon(new(224, 208, 186), .04f, -.42f, .12f, -.42f, .17f, 0, .07f, 0);
        pen.Dome(color, 0, -.36f, .46f, .48f);
        pen.Ellipse(color.Darker(.84f), 0, -.36f, .46f, .075f);
        pen.Ellipses(new(254, 250, 242), -.22f, -.54f, .085f, .075f, .06f, -.68f, .095f, .085f, .27f, -.49f, .065f, .06f);
    }

    private static void Cactus(Pen pen)
    {
        var green = new Rgb(74, 158, 100);
        pen.Line(green.Darker(.90f), .13f, -.02f, -.34f, -.30f, -.38f, -.30f, -.62f);
        pen.Line(green.Darker(.82f), .13f, .02f, -.44f, .29f, -.48f, .29f, -.76f);
        pen.Line(green, .24f, 0, -.09f, 0, -.86f);
        pen.Line(green.Lighter(.78f), .04f, -.045f, -.16f, -.045f, -.82f);
        pen.Ellipses(new(242, 118, 152), 0, -.99f, .085f, .075f, -.30f, -.70f, .06f, .055f, .29f, -.84f, .06f, .055f);
    }
}
