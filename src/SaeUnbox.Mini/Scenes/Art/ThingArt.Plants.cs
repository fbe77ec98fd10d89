using SaeUnbox.Mini.Scenes.Drawing;

namespace SaeUnbox.Mini.Scenes.Art;

internal static partial class ThingArt
{
    private static readonly Rgb Trunk = new(126, 84, 58);

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
