using SaeUnbox.Mini.Scenes;

namespace SaeUnbox.Mini.Training;

/// <summary>Draws random scenes.</summary>
internal static class SceneStream
{
    public static Scene Draw(Random random, SceneMix mix) => new(SceneSampler.Draw(random, mix), NoisePatches.Draw(random));
}

/// <summary>Random numbers that depend only on a seed and a place in the run, so that a run can resume anywhere.</summary>
internal static class RandomAt
{
    /// <param name="place">A number of the purpose, and numbers such as those of the step and the picture.</param>
    public static Random Place(int seed, params ReadOnlySpan<int> place)
    {
        // SplitMix64 over the parts.
        var mixed = (ulong)seed;
        foreach (var part in place)
        {
            mixed += 0x9E3779B97F4A7C15 + (ulong)(uint)part * 0xD1B54A32D192ED03;
            mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
            mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
            mixed ^= mixed >> 31;
        }
        return new Random((int)(mixed >> 33));
    }
}
