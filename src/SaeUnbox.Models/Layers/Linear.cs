using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>y = x W^T + b over the last dimension.</summary>
internal sealed class Linear
{
    private readonly Tensor _weight;
    private readonly Tensor? _bias;

    /// <param name="asConvolution">The checkpoint stores the matrix as a 1x1 convolution, [out, in, 1, 1].</param>
    public Linear(Weights weights, long inFeatures, long outFeatures, bool bias = true, bool asConvolution = false)
    {
        _weight = asConvolution ? weights.Get("weight", outFeatures, inFeatures, 1, 1) : weights.Get("weight", outFeatures, inFeatures);
        _bias = bias ? weights.Get("bias", outFeatures) : null;
    }

    public Tensor Forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        var matrix = _weight.dim() == 2 ? _weight : _weight.flatten(1);
        return Functional.Linear(x, matrix, _bias).MoveToOuterDisposeScope();
    }
}
