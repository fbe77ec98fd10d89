using static TorchSharp.torch;

namespace SaeUnbox.Models;

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
