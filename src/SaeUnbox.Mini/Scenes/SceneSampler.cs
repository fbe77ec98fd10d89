using System.Collections.Immutable;

namespace SaeUnbox.Mini.Scenes;

/// <summary>Weights and probabilities for drawing facts.</summary>
public sealed record SceneMix
{
    public IReadOnlyList<double> Times { get; init; } = [.34, .26, .26, .14];

    public IReadOnlyList<double> Grounds { get; init; } = [.28, .22, .25, .25];

    public IReadOnlyList<double> Fars { get; init; } = [.30, .24, .27, .19];

    public IReadOnlyList<double> Styles { get; init; } = [.77, .10, .08, .05];

    /// <summary>Fraction of captions that name things on the ground.</summary>
    public double NamesThings { get; init; } = .75;

    public double NamesTwoThings { get; init; } = .4;

    public double Plural { get; init; } = .6;

    public double NamesColor { get; init; } = .6;

    /// <summary>Weights of: sky not mentioned, clear sky, clouds, balloons, birds.</summary>
    public IReadOnlyList<double> Skies { get; init; } = [.48, .15, .07, .23, .07];
}

/// <summary>Draws random facts and scenes.</summary>
public static class SceneSampler
{
    public static SceneFacts Draw(Random random, SceneMix mix) => new()
    {
        Time = (SceneTime)Pick(random, mix.Times),
        Ground = (SceneGround)Pick(random, mix.Grounds),
        Far = (SceneFar)Pick(random, mix.Fars),
        Style = (SceneStyle)Pick(random, mix.Styles),
        Things = random.NextDouble() < mix.NamesThings ? DrawThings(random, mix) : null,
        Plural = random.NextDouble() < mix.Plural,
        SkyThings = Pick(random, mix.Skies) switch
        {
            0 => null,
            1 => [],
            2 => [new(ThingKind.Cloud)],
            3 => [Named(random, mix, ThingKind.Balloon)],
            _ => [new(ThingKind.Bird)],
        },
    };

    internal static Scene DrawScene(Random random, SceneMix mix) => new(Draw(random, mix), NoisePatches.Draw(random));

    private static ImmutableArray<NamedThing> DrawThings(Random random, SceneMix mix)
    {
        var kinds = ThingKinds.OfGround.ToArray();
        random.Shuffle(kinds);
        return [.. kinds.Take(random.NextDouble() < mix.NamesTwoThings ? 2 : 1).Select(kind => Named(random, mix, kind))];
    }

    private static NamedThing Named(Random random, SceneMix mix, ThingKind kind) =>
        new(kind, kind.TakesColor() && random.NextDouble() < mix.NamesColor ? (ThingColor)random.Next(4) : null);

    private static int Pick(Random random, IReadOnlyList<double> weights)
    {
        var u = random.NextDouble() * weights.Sum();
        for (var i = 0; i < weights.Count - 1; i++)
            if ((u -= weights[i]) < 0)
                return i;
        return weights.Count - 1;
    }
}
