using static TorchSharp.torch;

namespace TorchSharp.Tests;

public class FunctionalTests
{
    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void ScaledDotProductAttention_AnyMask_EqualsTheFormula(bool masked, bool causal)
    {
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        var (q, k, v) = (randn([2, 3, 5, 4]), randn([2, 3, 7, 4]), randn([2, 3, 7, 6]));
        var seen = causal ? ones([5, 7], ScalarType.Bool).tril() : rand([5, 7]).gt(0.3).logical_or(eye(5, 7, ScalarType.Bool));
        var scores = q.matmul(k.transpose(-1, -2)) / 2.0;
        if (masked || causal) scores = scores.masked_fill(seen.logical_not(), double.NegativeInfinity);
        var expected = scores.softmax(-1).matmul(v);
        var actual = nn.functional.scaled_dot_product_attention(q, k, v, masked ? seen : null, is_casual: causal);
        Assert.True(actual.allclose(expected, 1e-5, 1e-6));
    }

    [Fact]
    public void Interpolate_Nearest_RepeatsPixels()
    {
        using var scope = NewDisposeScope();
        var x = tensor([1f, 2, 3, 4], [1, 1, 2, 2]);
        Assert.Equal([1f, 1, 2, 2], nn.functional.interpolate(x, scale_factor: [2, 2])[0, 0, 0].data<float>().ToArray());
        Assert.Equal([1L, 1, 3, 5], nn.functional.interpolate(x, size: [3, 5]).shape);
    }

    [Fact]
    public void Linear_Norms_Losses_EqualTheirFormulas()
    {
        using var scope = NewDisposeScope();
        var (x, w, b) = (randn(3, 8), randn(5, 8), randn(5));
        Assert.True(nn.functional.linear(x, w, b).allclose(x.mm(w.t()) + b, 1e-5, 1e-6));
        var normal = (x - x.mean([1], true)) / (x.var([1], false, true) + 1e-5).sqrt();
        Assert.True(nn.functional.layer_norm(x, [8]).allclose(normal, 1e-4, 1e-5));
        Assert.Equal((x - 1).pow(2).mean().item<float>(), nn.functional.mse_loss(x, ones_like(x)).item<float>(), 1e-5f);
        Assert.Equal(1f, nn.functional.normalize(x).norm(1).data<float>()[0], 1e-5f);
        Assert.Equal([3L, 10], nn.functional.pad(x, [1, 1]).shape);
    }

    [Fact]
    public void Randn_SameSeed_SameNumbers()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(7);
        var state = generator.get_state();
        var first = randn([20], generator: generator).data<float>().ToArray();
        generator.set_state(state);
        Assert.Equal(first, randn([20], generator: generator).data<float>().ToArray());
        Assert.Equal(first, randn([20], generator: new Generator(0).manual_seed(7)).data<float>().ToArray());
        // A mt19937 takes the low 32 bits of a seed.
        Assert.Equal(first, randn([20], generator: new Generator((1UL << 40) + 7)).data<float>().ToArray());
        Assert.Equal(7, new Generator(7).initial_seed());
    }

    [Fact]
    public void Eigh_SymmetricMatrix_Rebuilds()
    {
        using var scope = NewDisposeScope();
        var root = randn([4, 4], float64);
        var matrix = root.mm(root.t());
        var (values, vectors) = linalg.eigh(matrix);
        Assert.True(vectors.mm(values.unsqueeze(1) * vectors.t()).allclose(matrix, 1e-8, 1e-8));
    }
}
