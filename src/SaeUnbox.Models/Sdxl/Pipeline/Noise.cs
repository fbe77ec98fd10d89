using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>Standard normal draws as torch.randn makes them from a CPU generator, whatever the device they go to.</summary>
public static class Noise
{
    /// <summary>A CPU generator (mt19937). Only the low 32 bits of a seed count.</summary>
    /// <exception cref="ModelException">The seed is negative.</exception>
    public static Generator GeneratorOf(long seed) => seed >= 0
        ? new Generator((ulong)seed, CPU)
        : throw new ModelException($"The seed must be between 0 and {long.MaxValue}, and is {seed}.");

    /// <summary>One draw of <paramref name="shape"/>; float16 and bfloat16 are the float32 draw rounded.</summary>
    public static Tensor Draw(Generator generator, long[] shape, ScalarType dtype = ScalarType.Float32)
    {
        // torch itself rounds the same draw from 2.0 on; before, it drew halves with other uniforms.
        if (dtype is not (ScalarType.Float16 or ScalarType.BFloat16))
        {
            return randn(shape, dtype, CPU, generator: generator);
        }

        using var wide = randn(shape, ScalarType.Float32, CPU, generator: generator);
        return wide.to_type(dtype);
    }

    /// <summary>A batch of <paramref name="shape"/>, every item drawn alone from its own generator.</summary>
    public static Tensor Draw(IReadOnlyList<Generator> generators, long[] shape, ScalarType dtype = ScalarType.Float32)
    {
        if (generators.Count != shape[0])
        {
            throw new ArgumentException($"A batch of {shape[0]} takes as many generators, and {generators.Count} are given.", nameof(generators));
        }

        using var scope = NewDisposeScope();
        long[] one = [1, .. shape[1..]];
        return cat(generators.Select(g => Draw(g, one, dtype)).ToArray(), 0).MoveToOuterDisposeScope();
    }
}

/// <summary>
/// The draws of one run, in the order the run makes them: draw 0 is the start noise, draw i + 1 belongs to step i.
/// A draw is kept, so that a run that goes on from the middle meets the same noise as the whole run.
/// </summary>
public sealed class NoiseSequence : IDisposable
{
    private readonly long[] _shape;
    private readonly ScalarType _dtype;
    private readonly Func<Tensor, Tensor> _place;
    private readonly Generator[] _generators;
    private readonly List<Tensor> _draws = [];

    /// <param name="seeds">One seed for each item of the batch.</param>
    /// <param name="shape">[B, C, h, w].</param>
    /// <param name="dtype">The dtype the numbers are rounded to.</param>
    /// <param name="place">Puts a draw where the run needs it (device, arithmetic dtype).</param>
    public NoiseSequence(IReadOnlyList<long> seeds, long[] shape, ScalarType dtype, Func<Tensor, Tensor> place)
    {
        (_shape, _dtype, _place) = (shape, dtype, place);
        _generators = [.. seeds.Select(Noise.GeneratorOf)];
    }

    /// <summary>Draw number <paramref name="index"/>; it belongs to the sequence.</summary>
    public Tensor this[int index]
    {
        get
        {
            while (_draws.Count <= index)
            {
                using var scope = NewDisposeScope();
                _draws.Add(_place(Noise.Draw(_generators, _shape, _dtype)).DetachFromDisposeScope());
            }

            return _draws[index];
        }
    }

    public void Dispose()
    {
        _draws.ForEach(d => d.Dispose());
        _draws.Clear();
        foreach (var generator in _generators)
        {
            generator.Dispose();
        }
    }
}
