using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Models;

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
