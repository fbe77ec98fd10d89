using SaeUnbox.Mini.Scenes;

namespace SaeUnbox.Mini.Evaluation;

/// <summary>A possible answer, and a scene that would be it. Several scenes may stand for one answer.</summary>
internal sealed record ProbeAnswer(string Name, Scene Scene);

/// <summary>
/// Tells which of several scenes a picture shows, in some cells: the one whose rendering is nearest by squares of differences. Where
/// all renderings agree a difference counts for all of them alike, so only what is in question decides.
/// </summary>
internal sealed class SceneProbe
{
    /// <summary>Side in pixels of what is compared.</summary>
    public const int Size = 128;

    private readonly IReadOnlyList<ProbeAnswer> _answers;
    private readonly byte[][] _pictures;
    private readonly CellMask _cells;

    public SceneProbe(IReadOnlyList<ProbeAnswer> answers, CellMask cells)
    {
        (_answers, _cells) = (answers, cells);
        _pictures = [.. answers.Select(answer => SceneRenderer.Render(answer.Scene, Size).Rgb)];
    }

    public IReadOnlyList<ProbeAnswer> Answers => _answers;

    /// <summary>The answer for a picture, [row, column, colour] of <see cref="Size"/>.</summary>
    public string Ask(ReadOnlySpan<byte> picture)
    {
        var (nearest, least) = (0, long.MaxValue);
        for (var i = 0; i < _pictures.Length; i++)
            if (Distance(picture, _pictures[i]) is var distance && distance < least)
                (nearest, least) = (i, distance);
        return _answers[nearest].Name;
    }

    private long Distance(ReadOnlySpan<byte> picture, ReadOnlySpan<byte> rendering)
    {
        const int run = Size / CellMask.Side * 3;
        long sum = 0;
        for (var row = 0; row < Size; row++)
            for (var column = 0; column < CellMask.Side; column++)
            {
                if (!_cells[row * CellMask.Side / Size, column])
                    continue;
                var start = row * Size * 3 + column * run;
                for (var i = start; i < start + run; i++)
                    sum += (picture[i] - rendering[i]) * (picture[i] - rendering[i]);
            }
        return sum;
    }
}

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
