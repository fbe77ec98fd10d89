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

    /// <summary>The layer of norm(x).</summary>
    public Tensor Forward(LayerNorm norm, Tensor x) => _weight.Multiply(norm, x, _bias);

    /// <summary>The result plus another tensor of its shape and type.</summary>
    public Tensor ForwardAdd(Tensor x, Tensor added) => _weight.Multiply(x, _bias, added);

    /// <inheritdoc cref="ForwardAdd(Tensor, Tensor)"/>
    /// <remarks>For a matrix in int8.</remarks>
    public Tensor ForwardAdd(Int8Rows x, Tensor added) => _weight.Multiply(x, _bias, added);
}

/// <summary>
/// A matrix of weights [out, in] that multiplies rows. It is stored in the model's type, or in int8 with a scale per output.
/// </summary>
/// <param name="Values">[out, in], or [out, in, 1, 1] in the model's type; [out, in] in int8.</param>
/// <param name="Scales">[out], float32; null in the model's type.</param>
internal sealed record WeightMatrix(Tensor Values, Tensor? Scales)
{
    /// <summary>x W^T + b over the last dimension.</summary>
    /// <param name="added">Is added to the result, like it in shape and type; null for nothing.</param>
    public Tensor Multiply(Tensor x, Tensor? bias = null, Tensor? added = null)
    {
        using var scope = NewDisposeScope();
        if (Scales is not null)
            return Multiply(Int8Rows.Of(x), bias, added).MoveToOuterDisposeScope();
        var product = Functional.Linear(x, Values.dim() == 2 ? Values : Values.flatten(1), bias);
        return (added is null ? product : InPlace.Add(product, added)).MoveToOuterDisposeScope();
    }

    /// <summary>The product with norm(x), which is not stored on the way if the matrix is in int8.</summary>
    /// <inheritdoc cref="Multiply(Tensor, Tensor?, Tensor?)"/>
    public Tensor Multiply(LayerNorm norm, Tensor x, Tensor? bias = null)
    {
        using var scope = NewDisposeScope();
        return (Scales is null ? Multiply(norm.Forward(x), bias) : Multiply(norm.ForwardRounded(x), bias)).MoveToOuterDisposeScope();
    }

    /// <summary>For a matrix in int8.</summary>
    /// <inheritdoc cref="Multiply(Tensor, Tensor?, Tensor?)"/>
    public Tensor Multiply(Int8Rows x, Tensor? bias = null, Tensor? added = null) =>
        Int8Product.Linear(x, Values, Scales ?? throw new InvalidOperationException("The matrix is not in int8."), bias, added);

    /// <summary>value * gelu(gate), where value and gate are the halves of the product's outputs.</summary>
    public Tensor MultiplyGeglu(LayerNorm norm, Tensor x, Tensor bias)
    {
        using var scope = NewDisposeScope();
        if (Scales is not null && Int8Product.SupportsGeglu(x, Values.shape[0]))
            return Int8Product.Geglu(norm.ForwardRounded(x), Values, Scales, bias).MoveToOuterDisposeScope();
        var normed = norm.Forward(x);
        Tensor[] values = Values.chunk(2), biases = bias.chunk(2);
        var scales = Scales?.chunk(2);
        // The elementwise operators are faster over contiguous memory.
        Tensor Half(int i) => new WeightMatrix(values[i], scales?[i]).Multiply(normed, biases[i]);
        return InPlace.Multiply(InPlace.Gelu(Half(1)), Half(0)).MoveToOuterDisposeScope();
    }

    /// <summary><see cref="MultiplyGeglu"/>, rounded to int8 bit for bit as if it had been stored; null if that is not faster.</summary>
    public Int8Rows? TryMultiplyRoundedGeglu(LayerNorm norm, Tensor x, Tensor bias)
    {
        if (Scales is null || !Int8Product.SupportsGeglu(x, Values.shape[0]))
            return null;
        using var scope = NewDisposeScope();
        return Int8Product.RoundedGeglu(norm.ForwardRounded(x), Values, Scales, bias).MoveToOuterDisposeScope();
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
