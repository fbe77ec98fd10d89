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
