using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>Sines and cosines of numbers at frequencies 10000^(-i / (n - shift)), in float32 (Ho et al. 2020, after Vaswani et al. 2017).</summary>
internal sealed class Sinusoid(int channels, bool cosineFirst, double frequencyShift)
{
    /// <summary>[N] numbers of any type as [N, channels].</summary>
    public Tensor Forward(Tensor numbers)
    {
        using var scope = NewDisposeScope();
        var half = channels / 2;
        var exponents = Arithmetic.Range(0, half, ScalarType.Float32, numbers.device).Times(-Math.Log(10000)).Over(half - frequencyShift);
        var angles = numbers.to_type(ScalarType.Float32).unsqueeze(1) * exponents.exp().unsqueeze(0);
        var (sines, cosines) = (angles.sin(), angles.cos());
        Tensor[] parts = cosineFirst ? [cosines, sines] : [sines, cosines];
        // An odd width ends in a zero.
        return cat(channels % 2 == 0 ? parts : [.. parts, zeros_like(angles.narrow(1, 0, 1))], 1).MoveToOuterDisposeScope();
    }
}
