namespace SaeUnbox.Mini.Scenes;

/// <summary>
/// The values that a scene reads from the initial noise. The 64x64 latents are divided into a 4x4 grid of 16x16 blocks. The value of a
/// block in a channel is 8 times the mean of its central 8x8 latents; for standard noise these values are independent and N(0, 1).
/// </summary>
public sealed class NoisePatches
{
    public const int Channels = 4;
    public const int Side = 4;
    public const int Count = Channels * Side * Side;
    private const int LatentSide = 64, Block = 16, Inset = 4, Patch = 8;

    private readonly float[] _values;

    /// <param name="values">[channel, row, column], flattened: <see cref="Count"/> values.</param>
    public NoisePatches(ReadOnlySpan<float> values)
    {
        if (values.Length != Count)
            throw new ArgumentException($"Noise patches have {Count} values (4 channels of 4x4), not {values.Length}.", nameof(values));
        _values = values.ToArray();
    }

    public float this[int channel, int row, int column] => _values[(channel * Side + row) * Side + column];

    public ReadOnlySpan<float> Values => _values;

    /// <summary>Reads the patches of noise.</summary>
    /// <param name="noise">[4, 64, 64], flattened, with unit variance.</param>
    public static NoisePatches Of(ReadOnlySpan<float> noise)
    {
        var values = new float[Count];
        for (var index = 0; index < Count; index++)
            values[index] = Patch * MeanOfPatch(noise, index);
        return new NoisePatches(values);
    }

    public static NoisePatches Draw(Random random)
    {
        var values = new float[Count];
        for (var index = 0; index < Count; index++)
            values[index] = (float)Gauss.Next(random);
        return new NoisePatches(values);
    }

    /// <summary>
    /// Shifts each patch of <paramref name="noise"/> so that its value becomes this one times <paramref name="amplification"/>. The rest of
    /// the noise is unchanged.
    /// </summary>
    public void ImposeOn(Span<float> noise, float amplification = 1)
    {
        for (var index = 0; index < Count; index++)
        {
            var shift = _values[index] * amplification / Patch - MeanOfPatch(noise, index);
            var start = StartOf(index);
            for (var y = 0; y < Patch; y++)
                foreach (ref var value in noise.Slice(start + y * LatentSide, Patch))
                    value += shift;
        }
    }

    private static float MeanOfPatch(ReadOnlySpan<float> noise, int index)
    {
        var start = StartOf(index);
        double sum = 0;
        for (var y = 0; y < Patch; y++)
            foreach (var value in noise.Slice(start + y * LatentSide, Patch))
                sum += value;
        return (float)(sum / (Patch * Patch));
    }

    private static int StartOf(int index)
    {
        var (channel, row, column) = (index / (Side * Side), index / Side % Side, index % Side);
        return (channel * LatentSide + row * Block + Inset) * LatentSide + column * Block + Inset;
    }
}

/// <summary>The standard normal distribution.</summary>
internal static class Gauss
{
    /// <summary>Draws a number with the Box-Muller transform.</summary>
    public static double Next(Random random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());

    /// <summary>P(Z &lt;= z), with an error of at most 1.5e-7 (Abramowitz and Stegun, 7.1.26).</summary>
    public static double Distribution(double z)
    {
        var x = Math.Abs(z) / Math.Sqrt(2);
        var t = 1 / (1 + 0.3275911 * x);
        var tail = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))) * Math.Exp(-x * x);
        return z < 0 ? tail / 2 : 1 - tail / 2;
    }
}
