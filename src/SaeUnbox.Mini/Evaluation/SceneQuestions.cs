using SaeUnbox.Mini.Scenes;

namespace SaeUnbox.Mini.Evaluation;

/// <summary>What can be asked of a picture, as the scenes between which the probe decides.</summary>
internal static class SceneQuestions
{
    /// <summary>The answer that a place is empty, or that nothing was painted.</summary>
    public const string Nothing = "nothing";

    public static CellMask Everywhere { get; } = CellMask.Box(0, 0, CellMask.Side, CellMask.Side);

    /// <summary>The scene under each time, ground, far layer or style: those of one group of <see cref="SceneLabels"/>.</summary>
    public static IReadOnlyList<ProbeAnswer> Backdrops(Scene scene, string group)
    {
        var all = group switch
        {
            "time" => Each<SceneTime>(value => scene.Facts with { Time = value }),
            "ground" => Each<SceneGround>(value => scene.Facts with { Ground = value }),
            "far" => Each<SceneFar>(value => scene.Facts with { Far = value }),
            _ => Each<SceneStyle>(value => scene.Facts with { Style = value }),
        };
        return [.. all];

        IEnumerable<ProbeAnswer> Each<T>(Func<T, SceneFacts> facts) where T : struct, Enum =>
            Enum.GetValues<T>().Select(value => new ProbeAnswer(Names.Of(value), scene with { Facts = facts(value) }));
    }

    /// <summary>Every kind in every colour at a slot, and nothing.</summary>
    public static IReadOnlyList<ProbeAnswer> Things(Scene scene, SceneSlot slot)
    {
        var empty = scene with { Emptied = [.. scene.Emptied, slot] };
        return
        [
            new(Nothing, empty),
            .. KindsOf(slot.IsOfSky).SelectMany(kind => ColorsOf(kind).Select(color =>
                new ProbeAnswer(Names.Of(kind), empty with { Added = [SceneLayout.Place(new(kind, color), scene.Noise, slot)] }))),
        ];
    }

    /// <summary>One kind in every colour at a slot.</summary>
    public static IReadOnlyList<ProbeAnswer> Colors(Scene scene, SceneSlot slot, ThingKind kind) =>
    [
        .. Enum.GetValues<ThingColor>().Select(color => new ProbeAnswer(Names.Of(color),
            scene with { Emptied = [.. scene.Emptied, slot], Added = [SceneLayout.Place(new(kind, color), scene.Noise, slot)] })),
    ];

    private static IReadOnlyList<ThingKind> KindsOf(bool ofSky) => ofSky ? ThingKinds.OfSky : ThingKinds.OfGround;

    private static IReadOnlyList<ThingColor> ColorsOf(ThingKind kind) => kind.TakesColor() ? Enum.GetValues<ThingColor>() : [default];
}
