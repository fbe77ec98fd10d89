using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Torch.Tests;

public sealed class AttentionTests
{
    /// <summary>The last ones are made in parts: of heads, of heads with a rest, of rows of one head with a rest.</summary>
    [Theory]
    [InlineData(1, 1, 2, 3, 4)]
    [InlineData(2, 3, 5, 7, 8)]
    [InlineData(1, 4, 600, 600, 8)]
    [InlineData(1, 5, 700, 650, 8)]
    [InlineData(1, 2, 1100, 1200, 8)]
    public void ScaledDotProductAttention_AnySize_IsTheFormula(long batch, long heads, long queries, long keys, long width)
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        var (q, k, v) = (randn([batch, heads, queries, width]), randn([batch, heads, keys, width]), randn([batch, heads, keys, width]));
        var scores = q.matmul(k.transpose(-1, -2)).div(Math.Sqrt(width));
        TensorAssert.Close(scores.softmax(-1).matmul(v), nn.functional.scaled_dot_product_attention(q, k, v), 1e-5);

        var mask = randn([queries, keys]);
        TensorAssert.Close((scores + mask).softmax(-1).matmul(v), nn.functional.scaled_dot_product_attention(q, k, v, mask), 1e-5);
    }

    [Fact]
    public void ScaledDotProductAttention_SmallOverUsedMemory_HasNoTraceOfIt()
    {
        using var scope = NewDisposeScope();
        var (q, k, v) = (ones([1, 2, 4, 8]), ones([1, 2, 4, 8]), ones([1, 2, 4, 8]));
        for (var i = 0; i < 200; i++)
        {
            foreach (var size in (long[])[32, 64, 128]) full([size], float.NaN).Dispose();
            TensorAssert.Close(v, nn.functional.scaled_dot_product_attention(q, k, v), 1e-6);
        }
    }
}
