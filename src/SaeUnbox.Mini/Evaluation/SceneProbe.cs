using SaeUnbox.Mini.Scenes;

namespace SaeUnbox.Mini.Evaluation;

/// <summary>A possible answer, and a scene that shows it. Several scenes may have the same answer.</summary>
internal sealed record ProbeAnswer(string Name, Scene Scene);

/// <summary>
/// Finds which of several scenes a picture shows in some cells: the one whose rendering has the smallest squared distance. Where all
/// renderings agree, a difference counts for all of them, so that only the parts in question decide.
/// </summary>
internal sealed class SceneProbe(IReadOnlyList<ProbeAnswer> answers, CellMask cells)
{
    /// <summary>Side of the compared pictures in pixels.</summary>
    public const int Size = 128;

    private readonly byte[][] _pictures = [.. answers.Select(answer => SceneRenderer.Render(answer.Scene, Size).Rgb)];

    /// <summary>The name of the answer for a picture [row, column, colour] of side <see cref="Size"/>.</summary>
    public string Ask(ReadOnlySpan<byte> picture) => Nearest(picture).Name;

    /// <summary>The nearest answer for a picture [row, column, colour] of side <see cref="Size"/>.</summary>
    public ProbeAnswer Nearest(ReadOnlySpan<byte> picture)
    {
        var (nearest, least) = (0, long.MaxValue);
        for (var i = 0; i < _pictures.Length; i++)
            if (Distance(picture, _pictures[i], cells) is var distance && distance < least)
                (nearest, least) = (i, distance);
        return answers[nearest];
    }

    /// <summary>How far a picture is from the nearest answer with such a name: the sum of squared differences over the cells.</summary>
    public long DistanceTo(Func<string, bool> isName, ReadOnlySpan<byte> picture)
    {
        var least = long.MaxValue;
        for (var i = 0; i < _pictures.Length; i++)
            if (isName(answers[i].Name))
                least = Math.Min(least, Distance(picture, _pictures[i], cells));
        return least;
    }

    /// <summary>The sum of squared differences of two pictures of side <see cref="Size"/> in some cells.</summary>
    public static long Distance(ReadOnlySpan<byte> picture, ReadOnlySpan<byte> rendering, CellMask cells)
    {
        const int run = Size / CellMask.Side * 3;
        long sum = 0;
        for (var row = 0; row < Size; row++)
            for (var column = 0; column < CellMask.Side; column++)
            {
                if (!cells[row * CellMask.Side / Size, column])
                    continue;
                var start = row * Size * 3 + column * run;
                for (var i = start; i < start + run; i++)
                    sum += (picture[i] - rendering[i]) * (picture[i] - rendering[i]);
            }
        return sum;
    }
}

/// <summary>Questions about a picture, as the scenes between which the probe decides.</summary>
internal static class SceneQuestions
{
    /// <summary>The answer for an empty place.</summary>
    public const string Nothing = "nothing";

    public static CellMask Everywhere { get; } = CellMask.Box(0, 0, CellMask.Side, CellMask.Side);

    /// <summary>The scene with each time, ground, far layer or style.</summary>
    /// <param name="group">"time", "ground", "far" or "style".</param>
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

    /// <summary>Each kind of thing in each colour at a slot, and nothing.</summary>
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

    /// <summary>A kind of thing in each colour at a slot.</summary>
    public static IReadOnlyList<ProbeAnswer> Colors(Scene scene, SceneSlot slot, ThingKind kind) =>
    [
        .. Enum.GetValues<ThingColor>().Select(color => new ProbeAnswer(Names.Of(color),
            scene with { Emptied = [.. scene.Emptied, slot], Added = [SceneLayout.Place(new(kind, color), scene.Noise, slot)] })),
    ];

    private static IReadOnlyList<ThingKind> KindsOf(bool ofSky) => ofSky ? ThingKinds.OfSky : ThingKinds.OfGround;

    private static IReadOnlyList<ThingColor> ColorsOf(ThingKind kind) => kind.TakesColor() ? Enum.GetValues<ThingColor>() : [default];
}
