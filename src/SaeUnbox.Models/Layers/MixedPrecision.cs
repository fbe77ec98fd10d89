using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>
/// Until disposed, this thread's products (linear layers, convolutions, attention) are made in another type, whatever the weights' own
/// is: a model trains on float32 weights with bfloat16 products. Norms stay in float32.
/// </summary>
public sealed class MixedPrecision : IDisposable
{
    [ThreadStatic]
    private static ScalarType? current;

    private readonly ScalarType? outer = current;

    public MixedPrecision(ScalarType products) => current = products;

    /// <summary>The tensor in the type products are made in.</summary>
    internal static Tensor Of(Tensor tensor) => current is { } type ? tensor.to_type(type) : tensor;

    public void Dispose() => current = outer;
}
