using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>Multi-head attention without its projections.</summary>
internal static class Attention
{
    /// <summary>softmax(q k^T / sqrt(d)) v for each head; query [B, Q, C], key and value [B, K, C], result [B, Q, C].</summary>
    /// <param name="causal">Each query sees only the keys up to its own position.</param>
    /// <param name="upcast">Compute in float32, and convert the result to the type of the query.</param>
    /// <param name="isRounded">The arguments are of int8 products, so that last digits do not matter and the fastest softmax does.</param>
    public static Tensor Forward(
        Tensor query, Tensor key, Tensor value, long heads, bool causal = false, bool upcast = false, bool isRounded = false)
    {
        using var scope = NewDisposeScope();
        if (upcast && query.dtype != ScalarType.Float32)
        {
            Tensor[] exact = [.. new[] { query, key, value }.Select(part => part.to_type(ScalarType.Float32))];
            return Forward(exact[0], exact[1], exact[2], heads, causal).to_type(query.dtype).MoveToOuterDisposeScope();
        }
        var attended = Functional.Attention(Split(query, heads), Split(key, heads), Split(value, heads), causal, isRounded);
        return attended.transpose(1, 2).flatten(2).MoveToOuterDisposeScope();
    }

    // [B, N, C] to [B, heads, N, C / heads].
    private static Tensor Split(Tensor rows, long heads) => rows.unflatten(rows.dim() - 1, heads, rows.shape[^1] / heads).transpose(1, 2);
}

/// <summary>
/// Attention in chunks whose scores fit in the cache, for bfloat16 on a CPU, where libtorch's fused kernel is three times slower.
/// </summary>
internal static class ChunkedAttention
{
    private const long MaxScoresPerChunk = 1L << 20;

    // With fewer scores, starting the chunks takes longer than computing them.
    private const long MinScores = 1L << 18;

    /// <summary>Depends only on shapes, type and device, so that equal runs give equal results.</summary>
    public static bool IsFaster(Tensor query, Tensor key, bool causal) =>
        query.dtype == ScalarType.BFloat16 && query.device_type == DeviceType.CPU && !causal && !is_grad_enabled()
        && query.shape[1] * query.shape[2] * key.shape[2] >= MinScores;

    /// <summary>softmax(q k^T / sqrt(d)) v over [B, heads, length, d].</summary>
    /// <param name="isRounded">See <see cref="Attention.Forward"/>.</param>
    public static Tensor Compute(Tensor query, Tensor key, Tensor value, bool isRounded)
    {
        using var scope = NewDisposeScope();
        var (batch, heads, length, width) = (query.shape[0], query.shape[1], query.shape[2], query.shape[3]);
        var keys = key.shape[2];
        // Contiguous copies: products of strided operands take half as long again.
        var q = query.Times(1 / Math.Sqrt(width)).reshape(batch * heads, length, width).contiguous();
        var k = key.reshape(batch * heads, keys, width).contiguous().transpose(1, 2);
        var v = value.reshape(batch * heads, keys, value.shape[3]).contiguous();
        var attended = empty([batch * heads, length, value.shape[3]], query.dtype, query.device);
        var headsPerChunk = ChunkSize(batch * heads, length * keys);
        var rowsPerChunk = headsPerChunk == 1 ? ChunkSize(length, keys) : length;
        for (var head = 0L; head < batch * heads; head += headsPerChunk)
        {
            var count = Math.Min(headsPerChunk, batch * heads - head);
            for (var row = 0L; row < length; row += rowsPerChunk)
            {
                // Frees the scores of each chunk at once, so that the next chunk reuses memory that is still in the cache.
                using var chunk = NewDisposeScope();
                var rows = Math.Min(rowsPerChunk, length - row);
                var scores = q.narrow(0, head, count).narrow(1, row, rows).bmm(k.narrow(0, head, count));
                if (SoftmaxKernel.Supports(scores, anyLength: isRounded))
                    SoftmaxKernel.Apply(scores);
                else
                    scores = scores.softmax(-1);
                attended.narrow(0, head, count).narrow(1, row, rows).copy_(scores.bmm(v.narrow(0, head, count)));
            }
        }

        return attended.view(batch, heads, length, value.shape[3]).MoveToOuterDisposeScope();
    }

    private static long ChunkSize(long count, long scoresEach) => Math.Clamp(MaxScoresPerChunk / Math.Max(1, scoresEach), 1, count);
}
