using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>The products that models spend their time in, all called here, so that their operations can be counted.</summary>
internal static class Products
{
    /// <summary>x W^T + b over the last dimension.</summary>
    public static Tensor Linear(Tensor x, Tensor weight, Tensor? bias = null)
    {
        if (OperationCount.Current is { } count) count.Add(2 * x.numel() * weight.shape[0]);
        return RowProducts.Linear(MixedPrecision.Of(x), MixedPrecision.Of(weight), bias is null ? null : MixedPrecision.Of(bias));
    }

    /// <summary>[B, in, H, W] by [out, in, k, k].</summary>
    public static Tensor Conv2d(Tensor x, Tensor weight, Tensor? bias, long[] stride, long[] padding)
    {
        var y = nn.functional.conv2d(MixedPrecision.Of(x), MixedPrecision.Of(weight), bias is null ? null : MixedPrecision.Of(bias), stride, padding);
        if (OperationCount.Current is { } count) count.Add(2 * y.numel() * (weight.numel() / weight.shape[0]));
        return y;
    }

    /// <summary>softmax(q k^T / sqrt(d)) v over [B, heads, length, d].</summary>
    public static Tensor Attention(Tensor query, Tensor key, Tensor value, bool causal)
    {
        if (OperationCount.Current is { } count) count.Add(4 * query.numel() * key.shape[2]);
        if (BandedAttention.IsFaster(query, key, causal)) return BandedAttention.Of(query, key, value);
        return nn.functional.scaled_dot_product_attention(MixedPrecision.Of(query), MixedPrecision.Of(key), MixedPrecision.Of(value), is_casual: causal);
    }
}

/// <summary>y = x W^T + b over the last dimension.</summary>
internal sealed class Linear
{
    private readonly Tensor _weight;
    private readonly Tensor? _bias;

    /// <param name="asConvolution">The checkpoint holds a 1x1 convolution, [out, in, 1, 1], in its place.</param>
    public Linear(Weights weights, long inFeatures, long outFeatures, bool bias = true, bool asConvolution = false)
    {
        _weight = asConvolution ? weights.Get("weight", outFeatures, inFeatures, 1, 1) : weights.Get("weight", outFeatures, inFeatures);
        _bias = bias ? weights.Get("bias", outFeatures) : null;
    }

    public Tensor Forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        var matrix = _weight.dim() == 2 ? _weight : _weight.flatten(1);
        return Products.Linear(x, matrix, _bias).MoveToOuterDisposeScope();
    }
}

/// <summary>Multi-head attention over rows, without its projections.</summary>
internal static class Attention
{
    /// <summary>softmax(q k^T / sqrt(d)) v, head by head; <paramref name="query"/> [B, Q, C], key and value [B, K, C], result [B, Q, C].</summary>
    /// <param name="causal">No query sees a key after its own place.</param>
    public static Tensor Forward(Tensor query, Tensor key, Tensor value, long heads, bool causal = false)
    {
        using var scope = NewDisposeScope();
        var attended = Products.Attention(Split(query, heads), Split(key, heads), Split(value, heads), causal);
        return attended.transpose(1, 2).flatten(2).MoveToOuterDisposeScope();
    }

    private static Tensor Split(Tensor rows, long heads) => rows.unflatten(rows.dim() - 1, heads, rows.shape[^1] / heads).transpose(1, 2);
}

/// <summary>
/// Attention in parts whose scores stay in the cache, for bfloat16 on a CPU: libtorch's fused kernel makes a third of their rate there.
/// </summary>
internal static class BandedAttention
{
    // Scores of a part.
    private const long Budget = 1L << 20;

    // Below, starting the parts takes longer than they do.
    private const long LeastScores = 1L << 18;

    /// <summary>Told by shapes, type and device alone, so that the same run takes the same way.</summary>
    public static bool IsFaster(Tensor query, Tensor key, bool causal) => query.dtype == ScalarType.BFloat16 && query.device_type == DeviceType.CPU
        && !causal && !is_grad_enabled() && query.shape[1] * query.shape[2] * key.shape[2] >= LeastScores;

    /// <summary>softmax(q k^T / sqrt(d)) v over [B, heads, length, d].</summary>
    public static Tensor Of(Tensor query, Tensor key, Tensor value)
    {
        using var scope = NewDisposeScope();
        var (batch, heads, length, width) = (query.shape[0], query.shape[1], query.shape[2], query.shape[3]);
        var keys = key.shape[2];
        // Products of strided operands are slower by half.
        var q = query.Times(1 / Math.Sqrt(width)).reshape(batch * heads, length, width).contiguous();
        var k = key.reshape(batch * heads, keys, width).contiguous().transpose(1, 2);
        var v = value.reshape(batch * heads, keys, value.shape[3]).contiguous();
        var attended = empty([batch * heads, length, value.shape[3]], query.dtype, query.device);
        var headsOfPart = Part(batch * heads, length * keys);
        var rowsOfPart = headsOfPart == 1 ? Part(length, keys) : length;
        for (var head = 0L; head < batch * heads; head += headsOfPart)
        {
            var count = Math.Min(headsOfPart, batch * heads - head);
            for (var row = 0L; row < length; row += rowsOfPart)
            {
                // The scores go as soon as they are used: the next part's then lie in the same, warm memory.
                using var part = NewDisposeScope();
                var rows = Math.Min(rowsOfPart, length - row);
                var scores = q.narrow(0, head, count).narrow(1, row, rows).bmm(k.narrow(0, head, count)).softmax(-1);
                attended.narrow(0, head, count).narrow(1, row, rows).copy_(scores.bmm(v.narrow(0, head, count)));
            }
        }

        return attended.view(batch, heads, length, value.shape[3]).MoveToOuterDisposeScope();
    }

    private static long Part(long count, long size) => Math.Clamp(Budget / Math.Max(1, size), 1, count);
}

/// <summary>
/// Counts, until disposed, the floating-point operations of this thread's products (linear layers, convolutions, attention): two
/// for a multiplication and its addition. What lies between the products is not counted.
/// </summary>
public sealed class OperationCount : IDisposable
{
    [ThreadStatic]
    private static OperationCount? current;

    private readonly OperationCount? outer = current;

    public OperationCount() => current = this;

    /// <summary>Operations so far.</summary>
    public long Total { get; private set; }

    internal static OperationCount? Current => current;

    internal void Add(long operations) => Total += operations;

    public void Dispose() => current = outer;
}

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

/// <summary>Activations by the name a configuration gives them, of a tensor that nobody else holds.</summary>
internal static class Activations
{
    /// <exception cref="ModelException">No activation has this name here.</exception>
    public static Func<Tensor, Tensor> Named(string name) => name switch
    {
        "relu" => Private.Relu,
        "silu" or "swish" => Private.Silu,
        "gelu" => Private.Gelu,
        _ => throw new ModelException($"The activation \"{name}\" is not known; relu, silu, swish and gelu are."),
    };
}

/// <summary>
/// Elementwise passes over a tensor that nobody else holds: in place, since they are bound by memory, unless gradients are
/// recorded, which need the former values.
/// </summary>
internal static class Private
{
    public static Tensor Silu(Tensor mine) => is_grad_enabled() ? mine.silu() : mine.silu_();

    public static Tensor Relu(Tensor mine) => is_grad_enabled() ? mine.relu() : mine.relu_();

    public static Tensor Gelu(Tensor mine) => is_grad_enabled() ? mine.gelu() : mine.gelu_();

    public static Tensor Add(Tensor mine, Tensor other) => is_grad_enabled() ? mine.Plus(other) : mine.Accumulate(other);

    public static Tensor Multiply(Tensor mine, Tensor other) => is_grad_enabled() ? mine.mul(other) : mine.mul_(other);
}

internal static class TensorExtensions
{
    /// <summary>Applies a layer to a tensor that nobody needs afterwards, and frees it at once: large activations must not pile up.</summary>
    public static Tensor Into(this Tensor x, Func<Tensor, Tensor> layer)
    {
        var y = layer(x);
        x.Dispose();
        return y;
    }
}
