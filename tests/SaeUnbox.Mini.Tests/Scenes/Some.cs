using SaeUnbox.Mini.Scenes;

namespace SaeUnbox.Mini.Tests.Scenes;

internal static class Some
{
    public static NoisePatches Noise(int seed) => NoisePatches.Draw(new Random(seed));

    public static SceneFacts Facts(int seed) => SceneSampler.Draw(new Random(seed + 1000), new SceneMix());

    public static Scene Scene(int seed) => new(Facts(seed), Noise(seed));

    public static float[] LatentNoise(int seed)
    {
        var random = new Random(seed);
        var noise = new float[4 * 64 * 64];
        for (var i = 0; i < noise.Length; i += 2)
        {
            var (radius, angle) = (Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())), 2 * Math.PI * random.NextDouble());
            (noise[i], noise[i + 1]) = ((float)(radius * Math.Cos(angle)), (float)(radius * Math.Sin(angle)));
        }
        return noise;
    }
}
