namespace SaeUnbox.Mini.Scenes;

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
