using static TorchSharp.torch;

namespace SaeUnbox.Models.Tests;

/// <summary>Attention and softmax against float64.</summary>
public sealed class AttentionTests
{
    [Theory]
    [InlineData(ScalarType.Float32, 1, 20, 256, 77, 64, 1e-5)]
    [InlineData(ScalarType.Float32, 1, 1, 1100, 1100, 512, 1e-5)]
    [InlineData(ScalarType.BFloat16, 2, 2, 64, 64, 32, .02)]
    [InlineData(ScalarType.BFloat16, 1, 20, 256, 256, 64, .02)]
    [InlineData(ScalarType.BFloat16, 2, 10, 1024, 77, 64, .02)]
    [InlineData(ScalarType.BFloat16, 1, 1, 1500, 1500, 512, .02)]
    public void Forward_ModelShapes_MatchesFloat64(
        ScalarType dtype, long batch, long heads, long length, long keys, long width, double limit)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        manual_seed(5);
        var (query, key, value) = (Rows(length), Rows(keys), Rows(keys));
        var exact = nn.functional.scaled_dot_product_attention(Split(query), Split(key), Split(value)).transpose(1, 2).flatten(2);
        var result = Attention.Forward(query, key, value, heads);
        Assert.Equal(dtype, result.dtype);
        var off = ((result.to_type(float64) - exact).abs().max() / exact.abs().max()).item<double>();
        Assert.True(off <= limit, $"{off} of the largest value");

        Tensor Rows(long count) => randn([batch, count, heads * width]).to_type(dtype);

        Tensor Split(Tensor rows) => rows.to_type(float64).view(batch, -1, heads, width).transpose(1, 2);
    }

    [Theory]
    [InlineData(ScalarType.BFloat16)]
    [InlineData(ScalarType.Float16)]
    public void Forward_Upcast_IsFloat32RoundedOnce(ScalarType dtype)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        manual_seed(5);
        Tensor[] rows = [.. Enumerable.Range(0, 3).Select(_ => randn([1, 48, 64]).Times(6).to_type(dtype))];
        Tensor[] heads = [.. rows.Select(part => part.to_type(float64).view(1, 48, 2, 32).transpose(1, 2))];
        var scores = heads[0].matmul(heads[1].transpose(2, 3)).Over(Math.Sqrt(32));
        var exact = scores.softmax(-1).matmul(heads[2]).transpose(1, 2).flatten(2);
        var result = Attention.Forward(rows[0], rows[1], rows[2], heads: 2, upcast: true);
        Assert.Equal(dtype, result.dtype);
        var step = dtype == ScalarType.BFloat16 ? Math.Pow(2, -8) : Math.Pow(2, -11);
        var off = (result.to_type(float64) - exact).abs() - exact.abs().Times(step * 1.01);
        Assert.True(off.max().item<double>() < 1e-4, $"{off.max().item<double>()} beyond half a step");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(100)]
    [InlineData(10_000)]
    public void Softmax_BFloat16WithOffset_IsWithinTwoStepsOfFloat64(double offset)
    {
        using var scope = NewDisposeScope();
        manual_seed(5);
        var scores = randn([16, 1024]).Plus(offset).to_type(bfloat16);
        var exact = scores.to_type(float64).softmax(-1);
        var off = ((scores.softmax(-1).to_type(float64) - exact).abs() / exact).max().item<double>();
        Assert.True(off <= Math.Pow(2, -7), $"{off} of the value");
    }

    [Theory]
    [InlineData(ScalarType.BFloat16, 256, 0, 1 / 128.0)]
    [InlineData(ScalarType.BFloat16, 256, 10_000, 1 / 128.0)]
    [InlineData(ScalarType.BFloat16, 77, 0, 1 / 128.0)]
    [InlineData(ScalarType.Float32, 256, 0, 1e-5)]
    [InlineData(ScalarType.Float32, 256, -100, 1e-5)]
    [InlineData(ScalarType.Float32, 77, 0, 1e-5)]
    [InlineData(ScalarType.Float32, 17, 0, 1e-5)]
    public void Softmax_Kernel_IsCloseToFloat64(ScalarType dtype, long keys, double offset, double most)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        manual_seed(5);
        var scores = randn([3, 200, keys]).Times(4).Plus(offset).to_type(dtype);
        var exact = scores.to_type(float64).softmax(-1);
        Assert.SkipUnless(SoftmaxKernel.Supports(scores, anyLength: true), "This processor has no 512-bit vectors.");
        SoftmaxKernel.Apply(scores);
        var off = ((scores.to_type(float64) - exact).abs() / exact).max().item<double>();
        Assert.True(off <= most, $"{off} of the value");
    }
}
