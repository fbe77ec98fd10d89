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

/// <summary>
/// A matrix of weights [out, in] that multiplies rows. It is stored in the model's type, or in int8 with a scale per output.
/// </summary>
/// <param name="Values">[out, in], or [out, in, 1, 1] in the model's type; [out, in] in int8.</param>
/// <param name="Scales">[out], float32; null in the model's type.</param>
internal sealed record WeightMatrix(Tensor Values, Tensor? Scales)
{
    /// <summary>x W^T + b over the last dimension.</summary>
    public Tensor Multiply(Tensor x, Tensor? bias = null)
    {
        using var scope = NewDisposeScope();
        var product = Scales is not null
            ? Int8Product.Linear(x, (Values, Scales, bias))[0]
            : Functional.Linear(x, Values.dim() == 2 ? Values : Values.flatten(1), bias);
        return product.MoveToOuterDisposeScope();
    }

    /// <summary>The first and the second half of the outputs, each contiguous.</summary>
    public (Tensor First, Tensor Second) MultiplyHalves(Tensor x, Tensor bias)
    {
        using var scope = NewDisposeScope();
        Tensor[] values = Values.chunk(2), biases = bias.chunk(2);
        var scales = Scales?.chunk(2);
        var halves = scales is not null
            ? Int8Product.Linear(x, (values[0], scales[0], biases[0]), (values[1], scales[1], biases[1]))
            : [Functional.Linear(x, values[0], biases[0]), Functional.Linear(x, values[1], biases[1])];
        return (halves[0].MoveToOuterDisposeScope(), halves[1].MoveToOuterDisposeScope());
    }
}

/// <summary>
/// Which weights of a model in int8 are stored so. The others stay in the type of the activations: they are few, and little work.
/// </summary>
internal static class Int8Weights
{
    // What meets pictures and noise directly, and what computes a single row.
    private static readonly string[] Exact = [
        "conv_in.",
        "conv_out.",
        "time_embedding.",
        "add_embedding.",
        "time_emb_proj.",
        "text_projection."
    ];

    public static bool Includes(string name) => !Exact.Any(part => name.Contains(part, StringComparison.Ordinal));
}
