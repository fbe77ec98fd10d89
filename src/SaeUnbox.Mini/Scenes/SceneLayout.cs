using System.Collections.Immutable;

namespace SaeUnbox.Mini.Scenes;

/// <summary>A position for a thing. Rows 0 and 1 are in the sky, row 2 is the back row of the ground, and row 3 the front row.</summary>
public readonly record struct SceneSlot(int Row, int Column)
{
    public bool IsOfSky => Row < 2;

    /// <summary>Its position in <see cref="All"/>.</summary>
    public int Index => 4 * Row + Column;

    public static IEnumerable<SceneSlot> All =>
        from row in Enumerable.Range(0, 4) from column in Enumerable.Range(0, 4) select new SceneSlot(row, column);
}

/// <summary>
/// A thing in the picture. X, Y and Size are fractions of the picture's side, Y down. (X, Y) is the middle of the foot for things on the
/// ground, and the centre for things in the sky.
/// </summary>
public readonly record struct PlacedThing(ThingKind Kind, ThingColor Color, float X, float Y, float Size);

/// <summary>Places things in slots, as a pure function of the caption's facts and the noise.</summary>
public static class SceneLayout
{
    private static readonly float[] Rows = [.13f, .32f, .70f, .935f];
    private static readonly float[] Shifts = [-.02f, .04f, .045f, -.02f];

    /// <summary>In drawing order: the sky, then the back row, then the front row.</summary>
    public static IReadOnlyList<KeyValuePair<SceneSlot, PlacedThing>> Of(SceneFacts facts, NoisePatches noise)
    {
        var placed = new List<KeyValuePair<SceneSlot, PlacedThing>>();
        foreach (var slot in SceneSlot.All)
            if (Choose(facts, noise, slot) is { } named)
                placed.Add(new(slot, Place(named, noise, slot)));
        return placed;
    }

    /// <summary>Places a thing in a slot. The noise decides a small shift, and the colour if none is named.</summary>
    public static PlacedThing Place(NamedThing named, NoisePatches noise, SceneSlot slot)
    {
        var (first, second) = named.Kind.DefaultColors();
        var color = named.Color ?? (noise[1, slot.Row, slot.Column] < 0 ? first : second);
        var jitter = Math.Clamp(noise[2, slot.Row, slot.Column], -1.5f, 1.5f) * .03f;
        return new(named.Kind, color, .125f + .25f * slot.Column + Shifts[slot.Row] + jitter, Rows[slot.Row], SizeOf(named.Kind, slot));
    }

    private static NamedThing? Choose(SceneFacts facts, NoisePatches noise, SceneSlot slot)
    {
        var (things, empty) = slot.IsOfSky ? ForSky(facts) : ForGround(facts, slot);
        if (things.IsEmpty)
            return null;
        var u = Gauss.Distribution(noise[0, slot.Row, slot.Column]);
        return u < empty ? null : things[Math.Min(things.Length - 1, (int)((u - empty) / (1 - empty) * things.Length))];
    }

    private static (ImmutableArray<NamedThing> Things, double Empty) ForSky(SceneFacts facts) =>
        facts.SkyThings is { } named ? (named, .40) : ([new(ThingKind.Cloud)], .60);

    private static (ImmutableArray<NamedThing> Things, double Empty) ForGround(SceneFacts facts, SceneSlot slot)
    {
        if (facts.Things is not { } named)
            return (Defaults(facts.Ground), .55);
        var alwaysFilled = slot is { Row: 3, Column: 1 };
        return (named, alwaysFilled ? 0 : facts.Plural ? .30 : .64);
    }

    /// <summary>The things on a ground if the caption names none.</summary>
    private static ImmutableArray<NamedThing> Defaults(SceneGround ground) => ground switch
    {
        SceneGround.Grass => [new(ThingKind.Tree), new(ThingKind.House), new(ThingKind.Flower)],
        SceneGround.Sand => [new(ThingKind.Palm), new(ThingKind.Cactus)],
        SceneGround.Snow => [new(ThingKind.Pine), new(ThingKind.House), new(ThingKind.Snowman)],
        _ => [new(ThingKind.Boat)],
    };

    private static float SizeOf(ThingKind kind, SceneSlot slot) => slot.Row switch
    {
        2 => .20f,
        3 => .27f,
        _ => kind == ThingKind.Cloud ? .21f : .19f,
    };
}

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
