using System.Collections.Immutable;

namespace SaeUnbox.Mini.Scenes;

/// <summary>
/// A scene: the facts of its caption, the noise, and what was painted into it. Equal scenes give equal pixels.
/// </summary>
public sealed record Scene(SceneFacts Facts, NoisePatches Noise)
{
    /// <summary>Things added with the brush. They are drawn over those of the layout.</summary>
    public IReadOnlyList<PlacedThing> Added { get; init; } = [];

    /// <summary>Slots whose thing was removed.</summary>
    public IReadOnlyList<SceneSlot> Emptied { get; init; } = [];

    /// <summary>All things, in drawing order.</summary>
    public IReadOnlyList<PlacedThing> Things()
    {
        var laidOut = SceneLayout.Of(Facts, Noise).Where(placed => !Emptied.Contains(placed.Key)).Select(placed => placed.Value);
        return [.. laidOut
            .Concat(Added)
            .OrderBy(thing => thing.Kind.IsOfSky() ? 0 : 1)
            .ThenBy(thing => thing.Kind.IsOfSky() ? 0 : thing.Y)];
    }
}

/// <summary>A kind of thing in a caption, with its colour if the caption names one.</summary>
public readonly record struct NamedThing(ThingKind Kind, ThingColor? Color = null);

/// <summary>
/// What a caption determines about a scene. The rest (which slot holds what, colours, small shifts) is read from the noise; see
/// <see cref="NoisePatches"/> and <see cref="SceneLayout"/>.
/// </summary>
public sealed record SceneFacts
{
    public SceneTime Time { get; init; } = SceneTime.Day;

    public SceneGround Ground { get; init; } = SceneGround.Grass;

    public SceneFar Far { get; init; } = SceneFar.Hills;

    public SceneStyle Style { get; init; } = SceneStyle.Plain;

    /// <summary>Things on the ground, in caption order; null if the caption names none, so that the defaults of the ground apply.</summary>
    public ImmutableArray<NamedThing>? Things { get; init; }

    /// <summary>Whether the caption names things in the plural, so that most slots are filled.</summary>
    public bool Plural { get; init; }

    /// <summary>
    /// Things in the sky; empty for a clear sky; null if the caption does not mention it, so that the noise decides about clouds.
    /// </summary>
    public ImmutableArray<NamedThing>? SkyThings { get; init; }

    public bool Equals(SceneFacts? other) => other is not null
        && (Time, Ground, Far, Style, Plural) == (other.Time, other.Ground, other.Far, other.Style, other.Plural)
        && Same(Things, other.Things) && Same(SkyThings, other.SkyThings);

    public override int GetHashCode() => HashCode.Combine(Time, Ground, Far, Style, Plural, Things?.Length ?? -1, SkyThings?.Length ?? -1);

    private static bool Same(ImmutableArray<NamedThing>? a, ImmutableArray<NamedThing>? b) =>
        a is { } first && b is { } second ? first.AsSpan().SequenceEqual(second.AsSpan()) : a is null && b is null;
}

/// <summary>The time of day. It determines the sky and tints all colours that do not glow.</summary>
public enum SceneTime { Day, Sunset, Night, Dawn }

/// <summary>The lower part of the picture.</summary>
public enum SceneGround { Grass, Sand, Snow, Sea }

/// <summary>The layer at the horizon.</summary>
public enum SceneFar { Hills, Forest, Mountains, City }

/// <summary>The filter applied to the finished picture.</summary>
public enum SceneStyle { Plain, Mosaic, Stripes, Sketch }

/// <summary>A thing on the ground or in the sky.</summary>
public enum ThingKind { House, Pine, Tree, Palm, Flower, Mushroom, Boat, Snowman, Cat, Cactus, Cloud, Balloon, Bird }

/// <summary>The colours of things that a caption can name.</summary>
public enum ThingColor { Red, Yellow, Blue, Purple }

public static class ThingKinds
{
    public static IReadOnlyList<ThingKind> OfGround { get; } = [.. Enum.GetValues<ThingKind>().Where(kind => !kind.IsOfSky())];

    public static IReadOnlyList<ThingKind> OfSky { get; } = [.. Enum.GetValues<ThingKind>().Where(kind => kind.IsOfSky())];

    public static bool IsOfSky(this ThingKind kind) => kind >= ThingKind.Cloud;

    public static bool TakesColor(this ThingKind kind) => kind is
        ThingKind.House or ThingKind.Flower or ThingKind.Mushroom or ThingKind.Boat or ThingKind.Cat or ThingKind.Balloon;

    /// <summary>The two colours between which the noise chooses if the caption names none.</summary>
    public static (ThingColor First, ThingColor Second) DefaultColors(this ThingKind kind) => kind switch
    {
        ThingKind.House => (ThingColor.Red, ThingColor.Blue),
        ThingKind.Flower => (ThingColor.Yellow, ThingColor.Red),
        ThingKind.Cat => (ThingColor.Yellow, ThingColor.Purple),
        ThingKind.Mushroom => (ThingColor.Red, ThingColor.Purple),
        ThingKind.Boat => (ThingColor.Yellow, ThingColor.Red),
        _ => (ThingColor.Red, ThingColor.Yellow),
    };
}

/// <summary>
/// Something that a brush can paint: a thing (of one colour if its kind has colours), a ground, a far layer, a time or a style.
/// </summary>
/// <param name="Name">For example "red house", "pine", "sea", "night", "mosaic".</param>
/// <param name="Labels">The labels that all apply where the element is (see <see cref="SceneLabels"/>).</param>
/// <param name="Thing">Null for backdrops.</param>
/// <param name="Apply">Puts a backdrop into a scene's facts; a thing leaves them unchanged.</param>
public sealed record SceneElement(string Name, IReadOnlyList<int> Labels, NamedThing? Thing, Func<SceneFacts, SceneFacts> Apply)
{
    public static IReadOnlyList<SceneElement> All { get; } =
    [
        .. Enum.GetValues<ThingKind>().SelectMany(OfKind),
        .. Enum.GetValues<SceneGround>()
            .Select(ground => Backdrop(ground, SceneLabels.Of(ground), facts => facts with { Ground = ground })),
        .. Enum.GetValues<SceneFar>().Select(far => Backdrop(far, SceneLabels.Of(far), facts => facts with { Far = far })),
        .. Enum.GetValues<SceneTime>().Select(time => Backdrop(time, SceneLabels.Of(time), facts => facts with { Time = time })),
        .. Enum
            .GetValues<SceneStyle>()
            .Skip(1)
            .Select(style => Backdrop(style, SceneLabels.Of(style)!.Value, facts => facts with { Style = style })),
    ];

    /// <summary>Converts a picture's labels [label, row, column] to maps [element, row, column] of <see cref="All"/>.</summary>
    public static byte[] MapsOf(byte[] labels)
    {
        const int cells = CellMask.Side * CellMask.Side;
        var maps = new byte[All.Count * cells];
        for (var i = 0; i < maps.Length; i++)
            maps[i] = All[i / cells].Labels.All(label => labels[label * cells + i % cells] == 1) ? (byte)1 : (byte)0;
        return maps;
    }

    /// <summary>
    /// Replaces this backdrop in a scene's facts by the default. Null for things, and for hills, which have no replacement.
    /// </summary>
    public SceneFacts? Without(SceneFacts facts)
    {
        var rest = Labels[0] switch
        {
            var time when time == SceneLabels.Of(SceneTime.Day) => facts with { Time = SceneTime.Night },
            var time when time < SceneLabels.Of(SceneGround.Grass) => facts with { Time = SceneTime.Day },
            var ground when ground == SceneLabels.Of(SceneGround.Grass) => facts with { Ground = SceneGround.Sand },
            var ground when ground < SceneLabels.Of(SceneFar.Hills) => facts with { Ground = SceneGround.Grass },
            var far when far < SceneLabels.Of(SceneStyle.Mosaic) => facts with { Far = SceneFar.Hills },
            _ => facts with { Style = SceneStyle.Plain },
        };
        return Thing is null && rest != facts ? rest : null;
    }

    private static IEnumerable<SceneElement> OfKind(ThingKind kind) => kind.TakesColor()
        ? Enum.GetValues<ThingColor>().Select(color => new SceneElement(
            $"{Names.Of(color)} {Names.Of(kind)}", [SceneLabels.Of(kind), SceneLabels.Of(color)], new(kind, color), facts => facts))
        : [new SceneElement(Names.Of(kind), [SceneLabels.Of(kind)], new(kind), facts => facts)];

    private static SceneElement Backdrop<T>(T value, int label, Func<SceneFacts, SceneFacts> apply) where T : struct, Enum =>
        new(Names.Of(value), [label], null, apply);
}

/// <summary>The intended effect of a brush stroke on some cells, and the ideal result.</summary>
public abstract record SceneEdit(CellMask Cells)
{
    /// <summary>The labels of what the stroke paints: a thing's kind and colour, or one ground, far layer, time or style.</summary>
    public abstract IReadOnlyList<int> Labels { get; }

    /// <summary>
    /// The ideal result, as two scenes: the cells of the stroke show <c>Inside</c>, all others show <c>Outside</c>.
    /// </summary>
    public abstract (Scene Inside, Scene Outside) Truth(Scene scene);
}

/// <summary>Adds a thing, as large as the stroke allows.</summary>
public sealed record ThingEdit(CellMask Cells, PlacedThing Thing) : SceneEdit(Cells)
{
    public override IReadOnlyList<int> Labels => SceneLabels.Of(Thing);

    public override (Scene Inside, Scene Outside) Truth(Scene scene)
    {
        // A thing also changes a few pixels outside the stroke, such as its shadow.
        var edited = scene with { Added = [.. scene.Added, Thing] };
        return (edited, edited);
    }
}

/// <summary>Replaces the thing in a slot by another of the slot's size.</summary>
public sealed record SlotEdit(CellMask Cells, SceneSlot Slot, PlacedThing Thing) : SceneEdit(Cells)
{
    public override IReadOnlyList<int> Labels => SceneLabels.Of(Thing);

    public override (Scene Inside, Scene Outside) Truth(Scene scene)
    {
        var edited = scene with { Emptied = [.. scene.Emptied, Slot], Added = [.. scene.Added, Thing] };
        return (edited, edited);
    }
}

/// <summary>Changes the time, ground, far layer or style inside the stroke.</summary>
public sealed record BackdropEdit(CellMask Cells, SceneFacts Facts, int Label) : SceneEdit(Cells)
{
    public override IReadOnlyList<int> Labels => [Label];

    public override (Scene Inside, Scene Outside) Truth(Scene scene) => (scene with { Facts = Facts }, scene);
}
