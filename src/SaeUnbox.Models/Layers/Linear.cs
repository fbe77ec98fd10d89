using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>y = x W^T + b over the last dimension.</summary>
internal sealed class Linear
{
    private readonly WeightMatrix _weight;
    private readonly Tensor? _bias;

    /// <param name="asConvolution">The checkpoint stores the matrix as a 1x1 convolution, [out, in, 1, 1].</param>
    public Linear(Weights weights, long inFeatures, long outFeatures, bool bias = true, bool asConvolution = false)
    {
        _weight = asConvolution
            ? weights.GetMatrix(["weight"], outFeatures, inFeatures, 1, 1)
            : weights.GetMatrix(["weight"], outFeatures, inFeatures);
        _bias = bias ? weights.Get("bias", outFeatures) : null;
    }

    public Tensor Forward(Tensor x) => _weight.Multiply(x, _bias);
}
