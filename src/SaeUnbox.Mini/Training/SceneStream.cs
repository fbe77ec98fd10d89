using SaeUnbox.Mini.Scenes;

namespace SaeUnbox.Mini.Training;

/// <summary>Scenes at random, one after the other.</summary>
internal static class SceneStream
{
    public static Scene Draw(Random random, SceneMix mix) => new(SceneSampler.Draw(random, mix), NoisePatches.Draw(random));
}
