using SaeUnbox.Mini.Scenes;

namespace SaeUnbox.Mini.Tests.Scenes;

public sealed class NoisePatchesTests
{
    [Fact]
    public void ImposeOn_AnyNoise_IsReadBackAndLeavesTheRest()
    {
        var (patches, noise) = (Some.Noise(2), Some.LatentNoise(3));
        var before = (float[])noise.Clone();

        patches.ImposeOn(noise);

        var read = NoisePatches.Of(noise);
        for (var i = 0; i < NoisePatches.Count; i++)
            Assert.Equal(patches.Values[i], read.Values[i], 1e-4f);
        for (var i = 0; i < noise.Length; i++)
            if (i / 64 % 16 is < 4 or >= 12 || i % 16 is < 4 or >= 12)
                Assert.Equal(before[i], noise[i]);
    }

    [Fact]
    public void ImposeOn_Amplified_MultipliesTheValues()
    {
        var (patches, noise) = (Some.Noise(2), Some.LatentNoise(3));

        patches.ImposeOn(noise, 3);

        Assert.Equal(3 * patches[2, 1, 3], NoisePatches.Of(noise)[2, 1, 3], 1e-4f);
    }

    [Fact]
    public void Of_StandardNoise_IsStandardNormal()
    {
        var values = Enumerable.Range(0, 40).SelectMany(seed => NoisePatches.Of(Some.LatentNoise(seed)).Values.ToArray()).ToArray();

        Assert.InRange(values.Average(), -.06, .06);
        Assert.InRange(values.Average(value => value * value), .92, 1.08);
    }

    [Fact]
    public void New_WrongCount_Throws() => Assert.Throws<ArgumentException>(() => new NoisePatches(new float[5]));
}
