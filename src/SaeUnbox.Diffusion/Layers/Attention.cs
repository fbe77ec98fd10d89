using static TorchSharp.torch;

namespace SaeUnbox.Diffusion;

/// <summary>Multi-head attention over rows, without its projections.</summary>
internal static class Attention
{
    /// <summary>softmax(q k^T / sqrt(d)) v, head by head; <paramref name="query"/> [B, Q, C], key and value [B, K, C], result [B, Q, C].</summary>
    public static Tensor Forward(Tensor query, Tensor key, Tensor value, long heads)
    {
        using var scope = NewDisposeScope();
        var attended = nn.functional.scaled_dot_product_attention(Split(query, heads), Split(key, heads), Split(value, heads));
        return attended.transpose(1, 2).flatten(2).MoveToOuterDisposeScope();
    }

    private static Tensor Split(Tensor rows, long heads) => rows.unflatten(-1, heads, rows.shape[^1] / heads).transpose(1, 2);
}
