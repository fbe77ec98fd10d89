using System.Diagnostics.CodeAnalysis;
using System.Text.Json.Nodes;
using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Models.Tests.UNets;

/// <summary>Forms of configuration, sizes and modes that no recorded pass has.</summary>
public sealed class UNetVariantTests
{
    [Theory]
    [InlineData("layers_per_block", "[1, 3, 2]")]
    [InlineData("transformer_layers_per_block", "[0, 0, 3]")]
    [InlineData("transformer_layers_per_block", "0")]
    [InlineData("attention_head_dim", "[1, 12, 20]")]
    [InlineData("up_block_types", """["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"]""")]
    [InlineData("down_block_types", """["CrossAttnDownBlock2D", "DownBlock2D", "DownBlock2D"]""")]
    [InlineData("norm_num_groups", "4")]
    [InlineData("conv_out_kernel", "5")]
    public void Forward_OtherConfiguration_ResumesFromEverySiteBitForBit(string key, string value)
    {
        using var scope = NewDisposeScope();
        using var mode = inference_mode();
        using var small = new SmallUNet(config => config[key] = JsonNode.Parse(value));
        Site[] sites = [.. small.Model.Sites.Select(site => site.Site)];
        using var run = small.Run(small.Latents(1, 8, 8), sites);
        Assert.Equal([1, 4, 8, 8], run.Output!.shape);
        Assert.True(run.Output.isfinite().all().item<bool>());
        Assert.All(sites, site => TensorAssert.Same(run.Output, small.Model.Resume(run.States[site])));
    }

    [Fact]
    public void TransformerLayers_Zero_KeepsNormAndProjectionsOnly()
    {
        using var small = new SmallUNet(config => config["transformer_layers_per_block"] = new JsonArray(1, 0, 0));
        var parts = small.Weights.Tensors.Keys.Where(name => name.StartsWith("mid_block.attentions.0."))
            .Select(name => name["mid_block.attentions.0.".Length..]);
        Assert.Equal(["norm.bias", "norm.weight", "proj_in.bias", "proj_in.weight", "proj_out.bias", "proj_out.weight"],
            parts.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData(5, 7)]
    [InlineData(6, 9)]
    [InlineData(1, 3)]
    [InlineData(10, 4)]
    public void Forward_OddSides_KeepsTheSizeAndResumes(int height, int width)
    {
        using var scope = NewDisposeScope();
        using var mode = inference_mode();
        using var small = new SmallUNet();
        Site[] sites = [.. small.Model.Sites.Select(site => site.Site)];
        using var run = small.Run(small.Latents(1, height, width), sites);
        Assert.Equal([1, 4, height, width], run.Output!.shape);
        Assert.All(sites, site => TensorAssert.Same(run.Output, small.Model.Resume(run.States[site])));
    }

    [Fact]
    public void Forward_Batch_GivesWhatEachPictureGivesAlone()
    {
        using var scope = NewDisposeScope();
        using var mode = inference_mode();
        using var small = new SmallUNet();
        var latents = small.Latents(3, 8, 4);
        var timesteps = tensor([999L, 500L, 1L]);
        using var together = small.Condition(3);
        var output = small.Model.Forward(latents, timesteps, together);
        for (var i = 0; i < 3; i++)
        {
            using var alone = small.Condition(3, only: i);
            var single = small.Model.Forward(latents.narrow(0, i, 1), timesteps.narrow(0, i, 1), alone);
            TensorAssert.Close(output.narrow(0, i, 1), single, 1e-4);
        }
    }

    [Fact]
    public void Forward_ConvolutionProjections_GiveWhatLinearOnesGive()
    {
        using var scope = NewDisposeScope();
        using var mode = inference_mode();
        using var linear = new SmallUNet();
        using var convolution = new SmallUNet(config => config["use_linear_projection"] = false, new Projected(linear.Weights));
        Assert.Equal([40, 40, 1, 1], convolution.Weights.Tensors["mid_block.attentions.0.proj_in.weight"].shape);
        var latents = linear.Latents(1, 8, 8);
        using var expected = linear.Run(latents, []);
        using var actual = convolution.Run(latents, []);
        TensorAssert.Close(expected.Output!, actual.Output!, 1e-4);
    }

    [Fact]
    public void Forward_BFloat16_IsNearFloat32()
    {
        using var scope = NewDisposeScope();
        using var mode = inference_mode();
        using var exact = new SmallUNet();
        using var rough = new SmallUNet(dtype: bfloat16);
        var latents = exact.Latents(1, 8, 8);
        using var expected = exact.Run(latents, []);
        using var actual = rough.Run(latents, []);
        Assert.Equal(bfloat16, actual.Output!.dtype);
        TensorAssert.RelativelyClose(expected.Output!, actual.Output, 0.05);
        Assert.Equal(float32, rough.Weights.Tensors["mid_block.resnets.0.norm1.weight"].dtype);
    }

    [Fact]
    public void Forward_GradientsOn_ReachEveryWeightAndFollowTheSlope()
    {
        using var scope = NewDisposeScope();
        using var small = new SmallUNet();
        foreach (var leaf in small.Weights.Leaves)
            leaf.requires_grad_();

        var latents = small.Latents(2, 8, 8);
        Tensor Loss()
        {
            using var conditioning = small.Condition(2);
            return small.Model.Forward(latents, tensor(300L), conditioning).Square().mean();
        }

        var loss = Loss();
        loss.backward();
        Assert.All(small.Weights.Leaves, leaf => Assert.True(leaf.grad is { } grad && grad.isfinite().all().item<bool>()));

        var slope = small.Weights.Leaves.Sum(leaf => leaf.grad!.Square().sum().item<float>());
        const double Step = 1e-4;
        using (no_grad())
        {
            foreach (var leaf in small.Weights.Leaves)
                leaf.sub_(leaf.grad!.Times(Step));

            Assert.InRange((loss.item<float>() - Loss().item<float>()) / Step, 0.5 * slope, 1.5 * slope);
        }
    }

    [Fact]
    public void Prepare_MismatchedShapes_AreNamed()
    {
        using var scope = NewDisposeScope();
        using var mode = inference_mode();
        using var small = new SmallUNet();
        Assert.Contains("[B, T, 72]", Error(() => small.Model.Prepare(zeros([1, 77, 71]), zeros([1, 48]), zeros([1, 6]))));
        Assert.Contains("pooled text must be [1, 48]", Error(() => small.Model.Prepare(zeros([1, 77, 72]), zeros([1, 40]), zeros([1, 6]))));
        Assert.Contains("time ids", Error(() => small.Model.Prepare(zeros([2, 77, 72]), zeros([2, 48]), zeros([1, 6]))));
        using var conditioning = small.Condition(1);
        Assert.Contains("[B, 4, H, W]", Error(() => small.Model.Forward(zeros([1, 3, 8, 8]), tensor(1L), conditioning)));
        Assert.Contains("batch of 1", Error(() => small.Model.Forward(zeros([2, 4, 8, 8]), tensor(1L), conditioning)));
        Assert.Contains("timestep", Error(() => small.Model.Forward(zeros([1, 4, 8, 8]), tensor([1L, 2L]), conditioning)));
    }

    private static string Error(Action action) => Assert.Throws<ModelException>(action).Message;

    /// <summary>A small model of random weights.</summary>
    private sealed class SmallUNet : IDisposable
    {
        public SmallUNet(Action<JsonObject>? change = null, IWeightSource? source = null, ScalarType dtype = ScalarType.Float32)
        {
            var json = UNetConfigTests.Small();
            change?.Invoke(json);
            Weights = new Weights(source ?? new RandomWeights(7), dtype);
            Model = new UNet(Weights, UNetConfig.From(JsonConfig.Parse(json.ToJsonString(), "config.json")));
            Weights.Load();
        }

        public Weights Weights { get; }

        public UNet Model { get; }

        public Tensor Latents(int batch, int height, int width) => Draw(1, batch, 4, height, width);

        public UNetConditioning Condition(int batch, int? only = null)
        {
            using var scope = NewDisposeScope();
            var (hidden, pooled, times) = (Draw(2, batch, 77, 72), Draw(3, batch, 48), Draw(4, batch, 6).abs().Times(512));
            return only is { } i
                ? Model.Prepare(hidden.narrow(0, i, 1), pooled.narrow(0, i, 1), times.narrow(0, i, 1))
                : Model.Prepare(hidden, pooled, times);
        }

        /// <summary>The states must be resumed before the model is disposed, with which the conditioning goes.</summary>
        public UNetRun Run(Tensor latents, IReadOnlyCollection<Site> capture) =>
            Model.Run(latents, tensor(999L), _conditioning ??= Condition(1), capture);

        public void Dispose()
        {
            _conditioning?.Dispose();
            Weights.Dispose();
        }

        private UNetConditioning? _conditioning;

        private static Tensor Draw(ulong seed, params long[] size)
        {
            using var generator = new Generator(seed);
            return randn(size, generator: generator);
        }
    }

    /// <summary>The weights of a model with linear projections, as one with 1x1 convolutions stores them.</summary>
    private sealed class Projected(Weights weights) : IWeightSource
    {
        public IEnumerable<string> Names => weights.Tensors.Keys;

        public string Description => "the projected model";

        public bool TryFind(string name, [MaybeNullWhen(false)] out TensorEntry entry)
        {
            entry = weights.Tensors.TryGetValue(name, out var tensor)
                ? new TensorEntry(name, ElementType.For(tensor.dtype), Shape(name, tensor))
                : null;
            return entry is not null;
        }

        public void Read(string name, Tensor target) => target.copy_(weights.Tensors[name].reshape(target.shape));

        private static long[] Shape(string name, Tensor tensor) =>
            name.Contains(".proj_") && name.EndsWith("weight") ? [.. tensor.shape, 1, 1] : tensor.shape;
    }
}
