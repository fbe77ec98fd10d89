using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Models.Tests;

/// <summary>Norms against float64 beside large means, at the widths of the models' norms, in both memory orders.</summary>
public sealed class NormTests
{
    private static readonly double[] Means = [0, 10, 100, 1000, 10_000];

    private static readonly (int Height, int Width)[] Sizes = [(1, 1), (3, 5), (12, 16)];

    /// <summary>
    /// Channels and groups of SDXL's U-Net (with its skip connections), of its autoencoder, of unbox-mini, and of widths that no vector
    /// divides.
    /// </summary>
    public static TheoryData<int, int, ScalarType> Groups
    {
        get
        {
            var data = new TheoryData<int, int, ScalarType>();
            foreach (var channels in new[] { 320, 640, 960, 1280, 1920, 2560, 128, 256, 512 })
                Add(channels, 32);
            foreach (var channels in new[] { 16, 32, 48, 64, 96, 128, 144, 176, 256 })
                Add(channels, 8);
            foreach (var channels in new[] { 8, 24, 40 })
                Add(channels, 4);
            return data;

            void Add(int channels, int groups)
            {
                data.Add(channels, groups, float32);
                data.Add(channels, groups, bfloat16);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Groups))]
    public void GroupNorm_LargeMeans_MatchesFloat64(int channels, int groups, ScalarType dtype)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var (norm, weight, bias) = GroupNorm(channels, groups, dtype);
        foreach (var (x, why) in Pictures(channels, dtype))
        {
            var exact = nn.functional.group_norm(x.to_type(float64).contiguous(), groups, weight, bias, 1e-6);
            AssertNear(exact, norm.Forward(x), dtype, why);
            AssertNear(exact.silu(), norm.ForwardSilu(x), dtype, why);
        }
    }

    [Theory]
    [InlineData(48, 8)]
    [InlineData(320, 32)]
    public void GroupNorm_GradientsRecorded_MatchesFloat64WithItsGradients(int channels, int groups)
    {
        using var scope = NewDisposeScope();
        var (norm, weight, bias) = GroupNorm(channels, groups, float32);
        foreach (var (x, why) in Pictures(channels, float32))
        {
            var (single, wide) = (x.clone().requires_grad_(), x.to_type(float64).contiguous().requires_grad_());
            var upstream = randn(x.shape);
            var exact = nn.functional.group_norm(wide, groups, weight, bias, 1e-6);
            var result = norm.Forward(single);
            (exact * upstream.to_type(float64)).sum().backward();
            (result * upstream).sum().backward();
            AssertNear(exact, result, float32, why);
            if (x.numel() > channels)
                TensorAssert.RelativelyClose(wide.grad!.to_type(float32), single.grad!, 1e-4);
        }
    }

    [Theory]
    [InlineData(64, ScalarType.Float32)]
    [InlineData(128, ScalarType.BFloat16)]
    [InlineData(40, ScalarType.Float32)]
    [InlineData(640, ScalarType.Float32)]
    [InlineData(640, ScalarType.BFloat16)]
    [InlineData(1280, ScalarType.Float32)]
    [InlineData(1280, ScalarType.BFloat16)]
    public void LayerNorm_LargeMeans_MatchesFloat64(int features, ScalarType dtype)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        manual_seed(features);
        using var weights = new Weights(new RandomWeights(3), dtype);
        var norm = new LayerNorm(weights, features);
        weights.Load();
        Randomise(weights);
        foreach (var mean in Means)
        {
            // Of widths without a kernel, libtorch's own keeps this much.
            if (features % 16 != 0 && mean > 100)
                continue;
            var x = Drawn([2, 19, features], mean, dtype);
            var exact = nn.functional.layer_norm(x.to_type(float64), [features], weights.Tensors["weight"].to_type(float64),
                weights.Tensors["bias"].to_type(float64), 1e-5);
            AssertNear(exact, norm.Forward(x), dtype, $"mean {mean}");
        }
    }

    private static (GroupNorm Norm, Tensor Weight, Tensor Bias) GroupNorm(int channels, int groups, ScalarType dtype)
    {
        manual_seed(channels);
        var weights = new Weights(new RandomWeights(3), dtype);
        var norm = new GroupNorm(weights, groups, channels, 1e-6);
        weights.Load();
        Randomise(weights);
        return (norm, weights.Tensors["weight"].to_type(float64), weights.Tensors["bias"].to_type(float64));
    }

    private static void Randomise(Weights weights)
    {
        using var mode = no_grad();
        foreach (var tensor in weights.Tensors.Values)
            tensor.copy_(randn(tensor.shape));
    }

    private static IEnumerable<(Tensor X, string Why)> Pictures(int channels, ScalarType dtype)
    {
        foreach (var (height, width) in Sizes)
        {
            foreach (var mean in Means)
            {
                var x = Drawn([2, channels, height, width], mean, dtype);
                yield return (x, $"{height} x {width}, mean {mean}");
                yield return (ChannelsLast.Convert(x), $"{height} x {width}, mean {mean}, channels last");
            }
        }
    }

    private static Tensor Drawn(long[] shape, double mean, ScalarType dtype) => randn(shape, dtype: float64).Plus(mean).to_type(dtype);

    // Float32: 1e-5 of the largest value; bfloat16: two steps of each value.
    private static void AssertNear(Tensor exact, Tensor result, ScalarType dtype, string why)
    {
        Assert.Equal(dtype, result.dtype);
        var largest = exact.abs().max().item<double>();
        var allowed = dtype == float32 ? zeros_like(exact).Plus(1e-5 * largest) : exact.abs().Times(Math.Pow(2, -7)).Plus(1e-5 * largest);
        var worst = ((result.to_type(float64) - exact).abs() / allowed).max().item<double>();
        Assert.True(worst <= 1, $"{why}: {worst:0.00} of what is allowed");
    }
}
