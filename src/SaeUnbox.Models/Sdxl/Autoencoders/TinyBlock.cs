using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>Three convolutions around a skip connection, with a relu over the sum.</summary>
internal sealed class TinyBlock
{
    private readonly Conv2d[] _convs;
    private readonly Func<Tensor, Tensor> _activation;

    public TinyBlock(Weights weights, int width, string activation)
    {
        // 1 and 3 are the activations of the checkpoint's numbering.
        _convs = [.. new[] { 0, 2, 4 }.Select(i => new Conv2d(weights.At($"conv.{i}"), width, width, kernel: 3, padding: 1))];
        _activation = Activations.Named(activation);
    }

    public Tensor Forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        var hidden = _activation(_convs[0].Forward(x));
        hidden = _activation(_convs[1].Forward(hidden));
        return Private.Relu(Private.Add(_convs[2].Forward(hidden), x)).MoveToOuterDisposeScope();
    }
}
