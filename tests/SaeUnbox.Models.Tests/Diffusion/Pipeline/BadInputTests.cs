using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Models.Tests;

public sealed class BadInputTests
{
    private static readonly ImageRequest Good = new() { Prompts = ["a"], Seeds = [1], Height = 64, Width = 64 };

    public static TheoryData<string, ImageRequest> BadRequests => new()
    {
        { "height", Good with { Height = 60 } },
        { "width", Good with { Width = 0 } },
        { "width", Good with { Width = -8 } },
        { "guidance", Good with { Guidance = double.NaN } },
        { "guidance", Good with { Guidance = double.PositiveInfinity } },
        { "prompts", Good with { Prompts = [] } },
        { "seeds", Good with { Prompts = ["a", "b", "c"], Seeds = [1, 2] } },
        { "negative prompts", Good with { Prompts = ["a", "b", "c"], NegativePrompts = ["x", "y"] } },
    };

    [Theory, MemberData(nameof(BadRequests), DisableDiscoveryEnumeration = true)]
    public void Validate_BadRequest_NamesTheValue(string named, ImageRequest request) =>
        Assert.Contains(named, Assert.Throws<ModelException>(() => request.Validate(8)).Message);

    [Fact]
    public void Load_FolderMissing_SaysSo()
    {
        using var folder = new TemporaryFolder();
        Assert.Contains("nowhere", Assert.Throws<ModelException>(() => DiffusionPipeline.Load(folder.At("nowhere"))).Message);
    }

    [Fact]
    public void Load_FolderWithoutAModel_NamesTheMissingIndex()
    {
        using var folder = new TemporaryFolder();
        Assert.Contains("model_index.json", Assert.Throws<ModelException>(() => DiffusionPipeline.Load(folder.Path)).Message);
    }

    [Fact]
    public void Load_OtherPipeline_NamesItsClass()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.At("model_index.json"), """{"_class_name": "FluxPipeline"}""");
        Assert.Contains("FluxPipeline", Assert.Throws<ModelException>(() => DiffusionPipeline.Load(folder.Path)).Message);
    }

    [Fact]
    public void Load_ComponentsMissing_NamesEach()
    {
        using var folder = new TemporaryFolder();
        ModelCopy.To(folder.Path);
        Directory.Delete(folder.At("unet"), recursive: true);
        Directory.Delete(folder.At("tokenizer_2"), recursive: true);
        var message = Assert.Throws<ModelException>(() => DiffusionPipeline.Load(folder.Path)).Message;
        Assert.Contains("unet", message);
        Assert.Contains("tokenizer_2", message);
    }

    [Theory]
    [InlineData("unet")]
    [InlineData("vae")]
    public void Load_WeightsMissing_NamesTheFolder(string component)
    {
        using var folder = new TemporaryFolder();
        ModelCopy.To(folder.Path);
        File.Delete(folder.At(component, "diffusion_pytorch_model.safetensors"));
        Assert.Contains(component, Assert.Throws<CheckpointException>(() => DiffusionPipeline.Load(folder.Path)).Message);
    }

    [Fact]
    public void Load_WeightsUnderTheirHalfPrecisionName_AreFound()
    {
        using var folder = new TemporaryFolder();
        ModelCopy.To(folder.Path);
        foreach (var component in (string[])["unet", "vae"])
        {
            File.Move(
                folder.At(component, "diffusion_pytorch_model.safetensors"),
                folder.At(component, "diffusion_pytorch_model.fp16.safetensors"));
        }

        using var pipeline = DiffusionPipeline.Load(folder.Path);
        Assert.Equal(ScalarType.Float32, pipeline.Autoencoder.DType);
    }

    [Fact]
    public void Load_TinyAutoencoderMissing_NamesThePlacesSearched()
    {
        using var folder = new TemporaryFolder();
        var model = Directory.CreateDirectory(folder.At("model")).FullName;
        ModelCopy.To(model);
        var options = new PipelineOptions { Autoencoder = AutoencoderChoice.Tiny };
        Assert.Contains("vae_tiny", Assert.Throws<ModelException>(() => DiffusionPipeline.Load(model, options)).Message);
    }

    [Fact]
    public void Load_OldAttentionNames_AreMapped()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        File.Copy(Goldens.At("model", "vae", "config.json"), folder.At("config.json"));
        using var present = Checkpoint.OpenFolder(Goldens.At("model", "vae"));
        SafetensorsWriter.Write(folder.At("diffusion_pytorch_model.safetensors"), present.Entries.Keys.Select(name => KeyValuePair.Create(
            name
                .Replace("to_q", "query")
                .Replace("to_k", "key")
                .Replace("to_v", "value")
                .Replace("to_out.0", "proj_attn"), present.Read(name))));
        var precision = Precision.For(ScalarType.Float32, CPU);
        var (old, _) = Autoencoder.Load(folder.Path, precision);
        var (now, _) = Autoencoder.Load(Goldens.At("model", "vae"), precision);
        var latents = randn([1, old.LatentChannels, 3, 5]);
        TensorAssert.Same(now.Decode(latents), old.Decode(latents));
    }
}
