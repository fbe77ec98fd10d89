using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>
/// The operations that take nearly all of a model's time. All layers call them here, so that <see cref="OperationCount"/> and
/// <see cref="MixedPrecision"/> apply to every one.
/// </summary>
internal static class Functional
{
    /// <summary>x W^T + b over the last dimension; W [out, in], b [out].</summary>
    public static Tensor Linear(Tensor x, Tensor weight, Tensor? bias = null)
    {
        OperationCount.Current?.Add(2 * x.numel() * weight.shape[0]);
        return RowProducts.Linear(MixedPrecision.Cast(x), MixedPrecision.Cast(weight), bias is null ? null : MixedPrecision.Cast(bias));
    }

    /// <summary>Convolves [B, in, H, W] with a kernel [out, in, k, k].</summary>
    public static Tensor Conv2d(Tensor x, Tensor weight, Tensor? bias, long[] stride, long[] padding)
    {
        var y = nn.functional.conv2d(
            MixedPrecision.Cast(x), MixedPrecision.Cast(weight), bias is null ? null : MixedPrecision.Cast(bias), stride, padding);
        OperationCount.Current?.Add(2 * y.numel() * (weight.numel() / weight.shape[0]));
        return y;
    }

    /// <summary>softmax(q k^T / sqrt(d)) v over [B, heads, length, d].</summary>
    /// <param name="isRounded">See <see cref="Models.Attention.Forward"/>.</param>
    public static Tensor Attention(Tensor query, Tensor key, Tensor value, bool causal, bool isRounded)
    {
        OperationCount.Current?.Add(4 * query.numel() * key.shape[2]);
        if (ChunkedAttention.IsFaster(query, key, causal))
            return ChunkedAttention.Compute(query, key, value, isRounded);
        return nn.functional.scaled_dot_product_attention(
            MixedPrecision.Cast(query), MixedPrecision.Cast(key), MixedPrecision.Cast(value), is_casual: causal);
    }
}

/// <summary>
/// Elementwise operators that overwrite their first argument, which no other code may hold: such operators are limited by memory
/// bandwidth. While gradients are recorded they return a new tensor instead, because the backward pass needs the old values.
/// </summary>
internal static class InPlace
{
    public static Tensor Silu(Tensor x) => is_grad_enabled() ? x.silu() : x.silu_();

    public static Tensor Relu(Tensor x) => is_grad_enabled() ? x.relu() : x.relu_();

    public static Tensor Gelu(Tensor x) => is_grad_enabled() ? x.gelu() : x.gelu_();

    public static Tensor Add(Tensor x, Tensor y) => is_grad_enabled() ? x.Plus(y) : x.Accumulate(y);

    public static Tensor Multiply(Tensor x, Tensor y) => is_grad_enabled() ? x.mul(y) : x.mul_(y);

    /// <summary>Looks up an activation by its name in a configuration.</summary>
    /// <exception cref="ModelException">The name is unknown.</exception>
    public static Func<Tensor, Tensor> Activation(string name) => name switch
    {
        "relu" => Relu,
        "silu" or "swish" => Silu,
        "gelu" => Gelu,
        _ => throw new ModelException($"The activation \"{name}\" is unknown; use relu, silu, swish or gelu."),
    };

    /// <summary>Applies a layer, then frees its input, which must not be used afterwards: large activations must not pile up.</summary>
    public static Tensor Into(this Tensor x, Func<Tensor, Tensor> layer)
    {
        var y = layer(x);
        x.Dispose();
        return y;
    }
}

/// <summary>
/// Counts this thread's floating-point operations in linear layers, convolutions and attention until it is disposed. A multiplication
/// and its addition count as two; all other operators count as none.
/// </summary>
public sealed class OperationCount : IDisposable
{
    [ThreadStatic]
    private static OperationCount? _current;

    private readonly OperationCount? _outer = _current;

    public OperationCount() => _current = this;

    /// <summary>Operations so far.</summary>
    public long Total { get; private set; }

    /// <summary>The calling thread's innermost count; null if nothing is counted.</summary>
    internal static OperationCount? Current => _current;

    public void Dispose() => _current = _outer;

    internal void Add(long operations) => Total += operations;
}

/// <summary>
/// Until it is disposed, this thread computes linear layers, convolutions and attention in bfloat16: training keeps float32 weights.
/// Norms stay in float32.
/// </summary>
public sealed class MixedPrecision : IDisposable
{
    [ThreadStatic]
    private static bool _isOn;

    private readonly bool _wasOn = _isOn;

    public MixedPrecision() => _isOn = true;

    public void Dispose() => _isOn = _wasOn;

    /// <summary>The tensor in the type that this thread computes in; the tensor itself without mixed precision.</summary>
    internal static Tensor Cast(Tensor tensor) => _isOn ? tensor.to_type(ScalarType.BFloat16) : tensor;
}
