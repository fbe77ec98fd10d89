using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>out(value * gelu(gate)), value and gate from one projection to four times the width each (GEGLU, Shazeer 2020).</summary>
internal sealed class FeedForward(Weights weights, long channels)
{
    private readonly Tensor _weight = weights.Get("net.0.proj.weight", 8 * channels, channels);
    private readonly Tensor _bias = weights.Get("net.0.proj.bias", 8 * channels);
    private readonly Linear _out = new(weights.At("net.2"), 4 * channels, channels);

    public Tensor Forward(Tensor rows)
    {
        using var scope = NewDisposeScope();
        // Two products instead of one with halves in every row: the passes between them then run over unbroken memory.
        var gate = Private.Gelu(Half(rows, 1));
        return _out.Forward(Private.Multiply(gate, Half(rows, 0))).MoveToOuterDisposeScope();
    }

    private Tensor Half(Tensor rows, int index)
    {
        var size = _bias.shape[0] / 2;
        return Products.Linear(rows, _weight.narrow(0, index * size, size), _bias.narrow(0, index * size, size));
    }
}
