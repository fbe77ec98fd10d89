using SaeUnbox.Testing;
using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Models.Tests;

/// <summary>Products of int8 weights against the formula in float64, and against the exact product.</summary>
public sealed class Int8ProductTests
{
    private const double Rounding = 1e-5, BFloat16Rounding = .005;

    [Theory]
    [InlineData(ScalarType.Float32, 1, 1, 1)]
    [InlineData(ScalarType.Float32, 3, 17, 5)]
    [InlineData(ScalarType.Float32, 70, 64, 33)]
    [InlineData(ScalarType.BFloat16, 70, 100, 48)]
    [InlineData(ScalarType.Float32, 300, 640, 96)]
    public void Linear_AnyShape_IsTheFormula(ScalarType dtype, long rows, long inputs, long outputs)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        manual_seed(5);
        var x = randn([rows, inputs]).Times(3).to_type(dtype);
        var (kernel, bias) = (KernelOf(randn([outputs, inputs])), randn([outputs]).to_type(dtype));

        var result = Int8Product.Linear(Int8Rows.Of(x), kernel.Values, kernel.Scales, bias);

        var largest = x.to_type(float32).abs().amax([1L], keepdim: true);
        var rounded = (Wide(x) * Wide(ones_like(largest).Times(127) / largest)).round();
        var scales = Wide(largest).Over(127);
        var expected = (nn.functional.linear(rounded, Wide(kernel.Values)) * scales * Wide(kernel.Scales)).Plus(Wide(bias));
        Assert.Equal(dtype, result.dtype);
        Assert.InRange(Off(expected, result), 0, dtype == ScalarType.Float32 ? Rounding : BFloat16Rounding);
    }

    [Fact]
    public void Linear_ARow_DependsOnNoOtherRow()
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        manual_seed(5);
        var x = randn([2, 40, 96]) * Arithmetic.Range(1, 81, ScalarType.Float32).view(2, 40, 1);
        var kernel = KernelOf(randn([64, 96]));

        var whole = Int8Product.Linear(Int8Rows.Of(x), kernel.Values, kernel.Scales, null);

        for (var row = 0; row < 40; row++)
            TensorAssert.Same(whole[1, row], Alone(x[1, row])[0]);

        Tensor Alone(Tensor one) => Int8Product.Linear(Int8Rows.Of(one.unsqueeze(0)), kernel.Values, kernel.Scales, null);
    }

    [Fact]
    public void Linear_RowsOfZerosAndOfNoNumbers_AreTheBiasAndNoNumbers()
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var x = zeros([2, 32]);
        x[1].Fill(double.NaN);
        var (kernel, bias) = (KernelOf(randn([16, 32])), randn([16]));

        var result = Int8Product.Linear(Int8Rows.Of(x), kernel.Values, kernel.Scales, bias);

        TensorAssert.Same(bias, result[0]);
        Assert.True(result[1].isnan().all().item<bool>());
    }

    [Fact]
    public void Linear_OneElementIsNoNumber_TheRowIsNoNumbers()
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        manual_seed(5);
        var x = randn([2, 64]);
        x[0, 7] = float.NaN;
        var kernel = KernelOf(randn([16, 64]));

        var result = Int8Product.Linear(Int8Rows.Of(x), kernel.Values, kernel.Scales, null);

        Assert.True(result[0].isnan().all().item<bool>());
        Assert.False(result[1].isnan().any().item<bool>());
    }

    [Theory]
    [InlineData(ScalarType.Float32, 33)]
    [InlineData(ScalarType.BFloat16, 48)]
    public void Linear_Added_IsAddedToTheProduct(ScalarType dtype, long outputs)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        manual_seed(5);
        var (x, added) = (Int8Rows.Of(randn([2, 9, 64]).to_type(dtype)), randn([2, 9, outputs]).to_type(dtype));
        var (kernel, bias) = (KernelOf(randn([outputs, 64])), randn([outputs]).to_type(dtype));

        var result = Int8Product.Linear(x, kernel.Values, kernel.Scales, bias, added);

        var plain = Int8Product.Linear(x, kernel.Values, kernel.Scales, bias);
        Assert.InRange(Off(Wide(plain).Plus(Wide(added)), result), 0, dtype == ScalarType.Float32 ? Rounding : BFloat16Rounding);
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    public void Geglu_AnyRows_IsTheFormula(ScalarType dtype)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        manual_seed(5);
        var x = Int8Rows.Of(randn([2, 40, 64]).Times(2).to_type(dtype));
        var (kernel, bias) = (KernelOf(randn([96, 64]).Times(.3)), randn([96]).to_type(dtype));

        var result = Int8Product.Geglu(x, kernel.Values, kernel.Scales, bias);

        var rows = Wide(x.Values) * Wide(x.Scales).unsqueeze(1);
        var halves = nn.functional.linear(rows, Wide(kernel.Values) * Wide(kernel.Scales).unsqueeze(1), Wide(bias)).chunk(2, -1);
        var expected = (halves[0] * nn.functional.gelu(halves[1])).view(2, 40, 48);
        Assert.Equal(expected.shape, result.shape);
        Assert.InRange(Off(expected, result), 0, dtype == ScalarType.Float32 ? Rounding : BFloat16Rounding);
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    public void RoundedGeglu_AnyRows_IsThatOfTheStoredOnesBitForBit(ScalarType dtype)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        manual_seed(5);
        var x = Int8Rows.Of(randn([70, 64]).to_type(dtype));
        var (kernel, bias) = (KernelOf(randn([96, 64])), randn([96]).to_type(dtype));

        var rounded = Int8Product.RoundedGeglu(x, kernel.Values, kernel.Scales, bias);

        var stored = Int8Rows.Of(Int8Product.Geglu(x, kernel.Values, kernel.Scales, bias));
        TensorAssert.Same(stored.Values, rounded.Values);
        TensorAssert.Same(stored.Scales, rounded.Scales);
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    public void OfLayerNorm_AnyRows_IsTheRoundedNorm(ScalarType dtype)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        manual_seed(5);
        var (x, weight, bias) = (randn([3, 50, 64]).Times(4).Plus(7).to_type(dtype), randn([64]), randn([64]));

        var rounded = Int8Rows.OfLayerNorm(x, weight, bias, 1e-5);

        var exact = nn.functional.layer_norm(Wide(x), [64], Wide(weight), Wide(bias), 1e-5).view(-1, 64);
        var steps = (exact / Wide(rounded.Scales).unsqueeze(1) - Wide(rounded.Values)).abs().amax().item<double>();
        Assert.InRange(steps, .1, .501);
        TensorAssert.Same(rounded.Values.abs().amax([1L]).to_type(float32), ones([150]).Times(127));
    }

    [Theory]
    [InlineData(ScalarType.Float32, 3, 1, 1)]
    [InlineData(ScalarType.Float32, 3, 2, 1)]
    [InlineData(ScalarType.Float32, 1, 1, 0)]
    [InlineData(ScalarType.BFloat16, 3, 1, 1)]
    public void Convolve_ActivatedPictures_IsNearTheExactConvolution(ScalarType dtype, long side, long stride, long padding)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        manual_seed(5);
        var x = randn([2, 40, 14, 18]).silu().to_type(dtype);
        var (weight, bias) = (randn([24, 40, side, side]), randn([24]).to_type(dtype));
        var exact = nn.functional.conv2d(Wide(x), Wide(weight), Wide(bias), [stride, stride], [padding, padding]);

        var result = Int8Convolution.Convolve(x, KernelOf(weight.permute(0, 2, 3, 1).contiguous()), bias, stride, padding);

        Assert.Equal(exact.shape, result.shape);
        var distance = ((Wide(result) - exact).norm() / exact.norm()).item<double>();
        Assert.InRange(distance, 1e-6, .02);
    }

    [Fact]
    public void Convolve_Added_IsAddedToTheConvolution()
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        manual_seed(5);
        var (x, added, kernel) = (randn([2, 16, 8, 6]), randn([2, 8, 8, 6]), KernelOf(randn([8, 3, 3, 16])));

        var result = Int8Convolution.Convolve(x, kernel, null, 1, 1, added);

        Assert.InRange(Off(Wide(Int8Convolution.Convolve(x, kernel, null, 1, 1)).Plus(Wide(added)), result), 0, Rounding);
    }

    [Fact]
    public void Convolve_PicturesOfDifferentRange_AreAsAlone()
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        manual_seed(5);
        var x = randn([3, 16, 8, 8]) * tensor([1f, 100, .01f]).view(3, 1, 1, 1);
        var kernel = KernelOf(randn([8, 3, 3, 16]));

        var whole = Int8Convolution.Convolve(x, kernel, null, 1, 1);

        for (var i = 0; i < 3; i++)
            TensorAssert.Same(whole[i], Int8Convolution.Convolve(x.narrow(0, i, 1), kernel, null, 1, 1)[0]);
    }

    [Fact]
    public void Convolve_ChangeInOnePlace_LeavesTheRestAsItWas()
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        manual_seed(5);
        var (x, kernel) = (randn([1, 16, 8, 8]), KernelOf(randn([8, 3, 3, 16])));
        var before = Int8Convolution.Convolve(x, kernel, null, 1, 1);

        x[0, TensorIndex.Colon, 1, 1] = 1000f;
        var after = Int8Convolution.Convolve(x, kernel, null, 1, 1);

        var same = (before == after).all(1)[0];
        Assert.False(same.narrow(0, 0, 3).narrow(1, 0, 3).any().item<bool>());
        Assert.True(same.narrow(0, 3, 5).all().item<bool>());
        Assert.True(same.narrow(1, 3, 5).all().item<bool>());
    }

    [Fact]
    public void Convolve_ConstantPicture_LeavesTheBorderExact()
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var kernel = KernelOf(ones([1, 3, 3, 16]));

        var result = Int8Convolution.Convolve(zeros([1, 16, 4, 4]).Plus(2), kernel, null, 1, 1);

        // Padding is zero whatever the zero point is: a corner sees four pixels, the middle nine.
        Assert.Equal(2 * 16 * 4, result[0, 0, 0, 0].item<float>(), .01f * 2 * 16 * 4);
        Assert.Equal(2 * 16 * 9, result[0, 0, 1, 1].item<float>(), .01f * 2 * 16 * 9);
    }

    [Fact]
    public void Load_Int8_RoundsMatricesAndKernelsOnly()
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var source = new RandomWeights(1);
        using var exact = new Weights(source, ScalarType.Float32);
        using var weights = new Weights(source, ScalarType.Float32, null, name => name.StartsWith("a.", StringComparison.Ordinal));
        var (first, second) = (exact.At("a").Get("q", 6, 32), exact.At("a").Get("k", 6, 32));
        var (fused, plain) = (weights.At("a").GetMatrix(["q", "k"], 6, 32), weights.At("b").GetMatrix(["q"], 6, 32));
        var kernel = weights.At("a").FindInt8Kernel("kernel", 4, 8, 3)!;
        var taps = exact.At("a").GetChannelsLast("kernel", 4, 8, 3, 3);
        exact.Load();
        weights.Load();

        Assert.Null(plain.Scales);
        Assert.Null(weights.At("b").FindInt8Kernel("kernel", 4, 8, 3));
        AssertRounded(cat([first, second]), Wide(fused.Values) * Wide(fused.Scales!).unsqueeze(1));
        AssertRounded(taps, Wide(kernel.Values.permute(0, 3, 1, 2)) * Wide(kernel.Scales).view(-1, 1, 1, 1));
        TensorAssert.Same(kernel.Values.to_type(float32).sum([1L, 2, 3]), kernel.Sums);
    }

    [Fact]
    public void For_Int8OnAGpu_IsRefused()
    {
        var message = Assert.Throws<ModelException>(() => Precision.For(ScalarType.Int8, new Device(DeviceType.CUDA, 0))).Message;
        Assert.Contains("processor only", message);
    }

    [Fact]
    public void Run_Int8ResumedFromAnyStepAndSite_IsTheWholeRunBitForBit()
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenRun(GoldenRun.ShortestOfSeveralSteps);
        using var pipeline = DiffusionPipeline.Load(Goldens.At("model"), new PipelineOptions { DType = ScalarType.Int8 });
        using var run = pipeline.Begin(golden.Request);
        var whole = run.Denoise().ToList();
        for (var step = 0; step < whole.Count; step++)
            TensorAssert.Same(whole[^1].After, run.Denoise(step, whole[step].Before).Last().After);
        Site[] sites = [.. pipeline.Sites.Select(shape => shape.Site)];
        using var pass = pipeline.Run(run.InputOf(1, whole[1].Before), sites);
        Assert.All(sites, site => TensorAssert.Same(pass.Output!, pipeline.Resume(pass.States[site])));
    }

    [Fact]
    public void Run_Int8WithNeuronsThatAreRead_IsTheRunWithoutBitForBit()
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenRun(GoldenRun.ShortestOfSeveralSteps);
        using var pipeline = DiffusionPipeline.Load(Goldens.At("model"), new PipelineOptions { DType = ScalarType.Int8 });
        using var run = pipeline.Begin(golden.Request);
        var plain = run.Denoise().Last().After;
        var read = 0;
        var hooks = pipeline.Sites.Select(shape => pipeline.UNet.HookNeurons(shape.Site, (_, neurons) =>
        {
            read++;
            return neurons;
        })).ToList();

        TensorAssert.Same(plain, run.Denoise().Last().After);

        Assert.True(read > 0);
        hooks.ForEach(hook => hook.Dispose());
    }

    private static void AssertRounded(Tensor exact, Tensor rounded)
    {
        var limits = exact.flatten(1).abs().amax([1L]).Over(2 * 127).Times(1.001);
        Assert.True(((Wide(exact) - Wide(rounded)).flatten(1).abs().amax([1L]) <= limits).all().item<bool>());
        Assert.True((Wide(exact) - Wide(rounded)).abs().amax().item<double>() > 0);
    }

    private static Int8Kernel KernelOf(Tensor weights)
    {
        var outputs = weights.shape[0];
        var kernel = new Int8Kernel(empty(weights.shape, ScalarType.Int8), empty([outputs], float32), empty([outputs], float32));
        kernel.Fill(weights);
        return kernel;
    }

    private static double Off(Tensor exact, Tensor result) =>
        ((Wide(result) - exact).abs().max() / exact.abs().max()).item<double>();

    private static Tensor Wide(Tensor x) => x.to_type(float64);
}
