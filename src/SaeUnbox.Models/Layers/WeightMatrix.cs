using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>A matrix of weights [out, in] that multiplies rows. It is stored in the model's type, or in int8 with a scale per output.</summary>
/// <param name="Values">[out, in], or [out, in, 1, 1] in the model's type; [out, in] in int8.</param>
/// <param name="Scales">[out], float32; null in the model's type.</param>
internal sealed record WeightMatrix(Tensor Values, Tensor? Scales)
{
    public long Outputs => Values.shape[0];

    /// <summary>x W^T + b over the last dimension.</summary>
    public Tensor Multiply(Tensor x, Tensor? bias = null)
    {
        using var scope = NewDisposeScope();
        var product = Scales is not null
            ? Int8Product.Linear(x, Values, Scales, bias)
            : Functional.Linear(x, Values.dim() == 2 ? Values : Values.flatten(1), bias);
        return product.MoveToOuterDisposeScope();
    }

    /// <summary>The part of the matrix that gives these outputs.</summary>
    public WeightMatrix Rows(long first, long count) => new(Values.narrow(0, first, count), Scales?.narrow(0, first, count));
}

/// <summary>
/// Which weights of a model in int8 are stored so. The others stay in the type of the activations: they are few, and little work.
/// </summary>
internal static class Int8Weights
{
    // What meets pictures and noise directly, and what computes a single row.
    private static readonly string[] Exact = ["conv_in.", "conv_out.", "time_embedding.", "add_embedding.", "time_emb_proj.", "text_projection."];

    public static bool Includes(string name) => !Exact.Any(part => name.Contains(part, StringComparison.Ordinal));
}
