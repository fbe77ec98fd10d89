using static TorchSharp.torch;

namespace SaeUnbox.Models;

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
