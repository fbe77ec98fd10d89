namespace SaeUnbox.Mini.Scenes;

/// <summary>The extent of a thing around its anchor, relative to its size.</summary>
public readonly record struct ThingBounds(float Left, float Top, float Right, float Bottom)
{
    public float Width => Right - Left;

    public float Height => Bottom - Top;

    public static ThingBounds Of(ThingKind kind) => kind switch
    {
        ThingKind.House => new(-.47f, -1, .47f, 0),
        ThingKind.Pine => new(-.38f, -1.06f, .38f, 0),
        ThingKind.Tree => new(-.41f, -.99f, .41f, 0),
        ThingKind.Palm => new(-.41f, -1.07f, .53f, .04f),
        ThingKind.Flower => new(-.35f, -1.03f, .35f, 0),
        ThingKind.Mushroom => new(-.46f, -.84f, .46f, 0),
        ThingKind.Boat => new(-.45f, -1, .47f, .01f),
        ThingKind.Snowman => new(-.42f, -1.02f, .42f, .02f),
        ThingKind.Cat => new(-.27f, -.96f, .48f, .02f),
        ThingKind.Cactus => new(-.37f, -1.07f, .36f, .03f),
        ThingKind.Cloud => new(-.50f, -.27f, .50f, .20f),
        ThingKind.Balloon => new(-.38f, -.48f, .38f, .64f),
        _ => new(-.50f, -.31f, .47f, .14f),
    };

    /// <summary>Fits a thing into a box (fractions of the side): at the lower edge, or in the centre for things in the sky.</summary>
    public static PlacedThing Fit(ThingKind kind, ThingColor color, float left, float top, float right, float bottom)
    {
        var bounds = Of(kind);
        var size = Math.Min((right - left) / bounds.Width, (bottom - top) / bounds.Height);
        var x = (left + right) / 2 - size * (bounds.Left + bounds.Right) / 2;
        var y = kind.IsOfSky() ? (top + bottom) / 2 - size * (bounds.Top + bounds.Bottom) / 2 : bottom - size * bounds.Bottom;
        return new(kind, color, x, y, size);
    }
}
