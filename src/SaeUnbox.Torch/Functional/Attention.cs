using TorchSharp.Interop;

namespace TorchSharp;

public static partial class torch
{
    public static partial class nn
    {
        public static partial class functional
        {
            // Scores of more elements than this are made in parts, so that they stay in the cache.
            private const long ScoreBudget = 1L << 20;

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
                // Scaled here and not as baddbmm's alpha: with beta 0 its kernel for small matrices multiplies what lay in memory.
                var q = query.mul(1 / Math.Sqrt(width)).reshape(batch, length, width);
                var k = key.reshape(batch, keys, width).transpose(1, 2);
                var v = value.reshape(batch, keys, value.shape[^1]);
                var bias = mask?.expand([.. shape[..^2], length, keys]).reshape(batch, length, keys);
                // Heads a part where one fits the budget, else rows of one head.
                var heads = Part(batch, length * keys);
                var rows = heads == 1 ? Part(length, keys) : length;
                var groups = new List<Tensor>();
                for (var head = 0L; head < batch; head += heads)
                {
                    var count = Math.Min(heads, batch - head);
                    var pieces = new List<Tensor>();
                    for (var row = 0L; row < length; row += rows)
                    {
                        var band = Math.Min(rows, length - row);
                        pieces.Add(Attend(Band(q, head, count, row, band), k.narrow(0, head, count), v.narrow(0, head, count),
                            bias is null ? null : Band(bias, head, count, row, band)));
                    }
                    groups.Add(pieces.Count == 1 ? pieces[0] : cat(pieces, 1));
                }
                var joined = groups.Count == 1 ? groups[0] : cat(groups, 0);
                return joined.reshape([.. shape[..^1], value.shape[^1]]).MoveToOuterDisposeScope();
            }

            // The scores go as soon as they are used: the next part's then lie in the same, warm memory.
            private static Tensor Attend(Tensor q, Tensor k, Tensor v, Tensor? bias)
            {
                using var scope = NewDisposeScope();
                var scores = bias is null ? bmm(q, k) : baddbmm(bias, q, k);
                return scores.softmax(-1).bmm(v).MoveToOuterDisposeScope();
            }

            private static long Part(long count, long size) => Math.Clamp(ScoreBudget / Math.Max(1, size), 1, count);

            private static Tensor Band(Tensor x, long head, long heads, long row, long rows) => x.narrow(0, head, heads).narrow(1, row, rows);
        }
    }
}
