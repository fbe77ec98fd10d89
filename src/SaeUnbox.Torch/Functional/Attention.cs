using TorchSharp.Interop;

namespace TorchSharp;

public static partial class torch
{
    public static partial class nn
    {
        public static partial class functional
        {
            // Scores of more elements than this are made a band of queries at a time, so that they stay in the cache.
            private const long ScoreBudget = 1L << 22;

            /// <summary>softmax(q k^T / sqrt(d) + mask) v over [..., heads, length, d].</summary>
            /// <param name="attn_mask">Added to the scores, or a bool mask of what may be seen.</param>
            /// <param name="is_casual">Each query sees only keys up to its own position.</param>
            public static Tensor scaled_dot_product_attention(
                Tensor query, Tensor key, Tensor value, Tensor? attn_mask = null, double p = 0.0, bool is_casual = false)
            {
                if (Aten.scaled_dot_product_attention.Exists)
                    return Aten.scaled_dot_product_attention.Call(query, key, value, attn_mask, p, is_casual);
                if (p != 0) throw new NotSupportedException("scaled_dot_product_attention: dropout is not supported by this libtorch.");
                return Composed(query, key, value, attn_mask, is_casual);
            }

            // libtorch before 2.0 has no fused attention.
            private static Tensor Composed(Tensor query, Tensor key, Tensor value, Tensor? mask, bool causal)
            {
                using var scope = NewDisposeScope();
                var shape = query.shape;
                var (length, width) = (shape[^2], shape[^1]);
                var keys = key.shape[^2];
                if (causal) mask = ones([length, keys], ScalarType.Bool, query.device).tril();
                if (mask is { dtype: ScalarType.Bool })
                    mask = zeros(mask.shape, query.dtype, query.device).masked_fill_(mask.logical_not(), double.NegativeInfinity);
                var batch = shape[..^2].Aggregate(1L, (product, size) => product * size);
                var q = query.reshape(batch, length, width);
                var k = key.reshape(batch, keys, width).transpose(1, 2);
                var v = value.reshape(batch, keys, value.shape[^1]);
                var bias = mask?.expand([.. shape[..^2], length, keys]).reshape(batch, length, keys);
                var scale = (float)(1 / Math.Sqrt(width));
                var band = is_grad_enabled() ? length : Math.Clamp(ScoreBudget / Math.Max(1, batch * keys), 1, length);
                var pieces = new List<Tensor>();
                for (var start = 0L; start < length; start += band)
                {
                    var rows = Math.Min(band, length - start);
                    var seed = bias?.narrow(1, start, rows) ?? zeros([1], query.dtype, query.device);
                    var scores = baddbmm(seed, q.narrow(1, start, rows), k, bias is null ? 0 : 1, scale);
                    pieces.Add(scores.softmax(-1).bmm(v));
                    if (!is_grad_enabled()) scores.Dispose();
                }
                var joined = pieces.Count == 1 ? pieces[0] : cat(pieces, 1);
                return joined.reshape([.. shape[..^1], value.shape[^1]]).MoveToOuterDisposeScope();
            }
        }
    }
}
