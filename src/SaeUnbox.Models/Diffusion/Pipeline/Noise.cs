using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>Standard normal noise, always from a CPU generator, so that it is the same on each device and equal to torch.randn.</summary>
public static class Noise
{
    /// <summary>A CPU generator (mt19937). It uses only the low 32 bits of the seed.</summary>
    /// <exception cref="ModelException">The seed is negative.</exception>
    public static Generator CreateGenerator(long seed) => seed >= 0
        ? new Generator((ulong)seed, CPU)
        : throw new ModelException($"The seed is {seed}; it must be from 0 to {long.MaxValue}.");

    /// <summary>Noise of <paramref name="shape"/>. In float16 and bfloat16 it is rounded float32 noise.</summary>
    public static Tensor Draw(Generator generator, long[] shape, ScalarType dtype = ScalarType.Float32)
    {
        // PyTorch does the same since 2.0. Earlier versions drew other numbers in float16 and bfloat16.
        if (dtype is not (ScalarType.Float16 or ScalarType.BFloat16))
            return randn(shape, dtype, CPU, generator: generator);

        using var wide = randn(shape, ScalarType.Float32, CPU, generator: generator);
        return wide.to_type(dtype);
    }

    /// <summary>A batch of <paramref name="shape"/>, where each item comes from its own generator.</summary>
    public static Tensor Draw(IReadOnlyList<Generator> generators, long[] shape, ScalarType dtype = ScalarType.Float32)
    {
        if (generators.Count != shape[0])
            throw new ArgumentException(
                $"A batch of {shape[0]} needs {shape[0]} generators, but got {generators.Count}.", nameof(generators));

        using var scope = NewDisposeScope();
        long[] one = [1, .. shape[1..]];
        return cat(generators.Select(g => Draw(g, one, dtype)).ToArray(), 0).MoveToOuterDisposeScope();
    }
}

/// <summary>
/// The noise of one run: item 0 is the start noise, item i + 1 belongs to step i. Items are kept, so that a resumed run gets the same noise
/// as the whole run.
/// </summary>
public sealed class NoiseSequence : IDisposable
{
    private readonly long[] _shape;
    private readonly ScalarType _dtype;
    private readonly Func<Tensor, Tensor> _place;
    private readonly Generator[] _generators;
    private readonly List<Tensor> _draws = [];

    /// <param name="seeds">One seed for each image of the batch.</param>
    /// <param name="shape">[B, C, h, w].</param>
    /// <param name="dtype">The type that the numbers are rounded to.</param>
    /// <param name="place">Converts the noise to the device and type of the run.</param>
    public NoiseSequence(IReadOnlyList<long> seeds, long[] shape, ScalarType dtype, Func<Tensor, Tensor> place)
    {
        (_shape, _dtype, _place) = (shape, dtype, place);
        _generators = [.. seeds.Select(Noise.CreateGenerator)];
    }

    /// <summary>Noise of the given index. Owned by the sequence.</summary>
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
            generator.Dispose();
    }
}
