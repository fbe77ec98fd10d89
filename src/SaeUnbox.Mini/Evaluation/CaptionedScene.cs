using SaeUnbox.Mini.Scenes;

namespace SaeUnbox.Mini.Evaluation;

/// <summary>A caption and a seed, as a user gives them, and the scene that they mean.</summary>
internal sealed record CaptionedScene(Scene Scene, string Caption, long Seed)
{
    private static readonly long[] NoiseShape = [1, 4, 64, 64];

    public static CaptionedScene Draw(Random random, SceneMix mix) => Draw(random, SceneSampler.Draw(random, mix));

    /// <summary>A caption of the given facts, and a seed.</summary>
    public static CaptionedScene Draw(Random random, SceneFacts facts)
    {
        var seed = random.Next();
        return new(SceneOf(facts, seed), CaptionGrammar.Compose(facts, random), seed);
    }

    /// <summary>What a seed makes of facts.</summary>
    public static Scene SceneOf(SceneFacts facts, long seed)
    {
        using var generator = Noise.GeneratorOf(seed);
        using var noise = Noise.Draw(generator, NoiseShape);
        return new(facts, NoisePatches.Of(noise.data<float>().ToArray()));
    }
}
