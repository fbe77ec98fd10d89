using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Models.Tests;

/// <summary>float16 on a CPU: numbers of that type, but no tensor of it, for its kernels are tens of times slower than float32's.</summary>
public sealed class Float16Tests
{
    [Theory]
    [InlineData("unet")]
    [InlineData("text_encoder")]
    [InlineData("vae")]
    public void Load_Float16OnACpu_HoldsRoundedFloat32(string part)
    {
        using var scope = NewDisposeScope();
        using var file = Checkpoint.OpenFolder(Goldens.At("model", part));
        var config = JsonConfig.Load(Goldens.At("model", part, "config.json"));
        var (_, weights) = Precision.For(float16, CPU).Load<object>(RenamedSource.WithPresentAttentionNames(file), tree => part switch
        {
            "unet" => new UNet(tree, UNetConfig.From(config)),
            "vae" => new AutoencoderKL(tree, AutoencoderKLConfig.From(config)),
            _ => new ClipTextEncoder(tree, ClipTextConfig.From(config)),
        });
        using var _ = weights;
        Assert.NotEmpty(weights.Leaves);
        foreach (var leaf in weights.Leaves)
        {
            Assert.Equal(float32, leaf.dtype);
            TensorAssert.Same(leaf, leaf.to_type(float16).to_type(float32));
        }
    }

    [Fact]
    public void Denoise_Float16OnACpu_ComputesInFloat32Throughout()
    {
        using var scope = NewDisposeScope();
        using var pipeline = DiffusionPipeline.Load(Goldens.At("model"), new PipelineOptions { DType = float16 });
        var met = new List<TorchSharp.torch.ScalarType>();
        var hooks = pipeline.UNet.Sites.Select(site => pipeline.UNet.Hook(site.Site, (input, output) =>
        {
            met.AddRange([input.dtype, output.dtype]);
            return output;
        })).ToArray();
        var side = pipeline.UNet.Config.SampleSize * pipeline.Autoencoder.PixelsPerCell;
        using var run = pipeline.Begin(new ImageRequest { Prompts = ["a dog"], Seeds = [1], Steps = 1, Width = side, Height = side });
        met.Add(run.StartNoise.dtype);
        foreach (var step in run.Denoise())
            met.AddRange([step.Before.dtype, step.After.dtype, pipeline.Autoencoder.DType]);
        foreach (var hook in hooks)
            hook.Dispose();
        Assert.True(met.Count > 2 * pipeline.UNet.Sites.Count);
        Assert.All(met, type => Assert.Equal(float32, type));
        TensorAssert.Same(run.StartNoise, run.StartNoise.to_type(float16).to_type(float32));
    }
}
