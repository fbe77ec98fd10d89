using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Models.Tests;

/// <summary>SD 1.x, SD 2.x and SD-Turbo in one file in the original layout.</summary>
public sealed class SdOneFileTests : IDisposable
{
    private static readonly ImageRequest Request =
        new() { Prompts = ["a red dog"], Seeds = [5], Steps = 3, Guidance = 7.5, Height = 64, Width = 64 };

    private readonly TemporaryFolder _folder = new();

    private string File => _folder.At("model.safetensors");

    private string Model => _folder.At("tiny");

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Convert_ToAFileAndBack_MakesTheSamePixelsAndFiles(bool second)
    {
        Write(second);
        ModelConversion.ToFile(Model, File);
        var pixels = PixelsOf(Model);
        Assert.Equal(pixels, PixelsOf(File, new() { TokenizerFolder = Model }));
        ModelConversion.ToFolder(File, _folder.At("back"), new() { TokenizerFolder = Model });
        Assert.Equal(pixels, PixelsOf(_folder.At("back")));
        Assert.Equal(
            ["scheduler", "text_encoder", "tokenizer", "unet", "vae"],
            Directory.GetDirectories(_folder.At("back")).Select(Path.GetFileName).Order());
        ModelConversion.ToFile(_folder.At("back"), _folder.At("again.safetensors"));
        using var scope = NewDisposeScope();
        using var first = Checkpoint.Open(File);
        using var again = Checkpoint.Open(_folder.At("again.safetensors"));
        Assert.Equal(first.Entries.Keys, again.Entries.Keys);
        Assert.All(first.Entries.Keys, name => Assert.True(first.Read(name).bytes.SequenceEqual(again.Read(name).bytes), name));
    }

    [Theory]
    [InlineData(false, "SD 1.x", "cond_stage_model.transformer.text_model.encoder.layers.0.self_attn.q_proj.weight")]
    [InlineData(true, "SD 2.x", "cond_stage_model.model.transformer.resblocks.0.attn.in_proj_weight")]
    public void Inspect_AFile_NamesTheModelAndItHasTheOriginalNames(bool second, string name, string tensor)
    {
        Write(second);
        ModelConversion.ToFile(Model, File);
        Assert.Equal($"{name} in the original layout, U-Net, text encoder, VAE", Inspection.Read(File).Title);
        using var file = Checkpoint.Open(File);
        Assert.Contains(tensor, file.Entries.Keys);
        Assert.Contains("model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight", file.Entries.Keys);
        Assert.Contains("model.diffusion_model.output_blocks.11.1.norm.weight", file.Entries.Keys);
        Assert.DoesNotContain(file.Entries.Keys, key => key.Contains("label_emb"));
        Assert.Equal(second ? 2 : 4, file.Entries["model.diffusion_model.middle_block.1.proj_in.weight"].Shape.Length);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Load_FileWithoutConfigurations_TakesThemFromTheBase(bool second)
    {
        Write(second);
        Strip(name => name);
        Assert.Equal(PixelsOf(Model), PixelsOf(File, new() { BasePath = Model }));
    }

    [Fact]
    public void Load_UNetAlone_TakesTheRestFromTheBase()
    {
        Write(second: false);
        Strip(name => name.StartsWith("model.diffusion_model.", StringComparison.Ordinal) ? name : null);
        Assert.Equal(PixelsOf(Model), PixelsOf(File, new() { BasePath = Model }));
    }

    // A published file of SD 2.x holds 24 layers, of which the last is not used, and a projection.
    [Fact]
    public void Open_TextEncoderOfSd2_LeavesItsLastLayerAndProjectionOut()
    {
        using var scope = NewDisposeScope();
        const string prefix = "cond_stage_model.model.";
        var tensors = Enumerable.Range(0, 24).SelectMany(layer => ((string, Tensor)[])
        [
            ($"{prefix}transformer.resblocks.{layer}.ln_1.weight", ones(1024)),
            ($"{prefix}transformer.resblocks.{layer}.attn.in_proj_bias", ones(3 * 1024)),
            ($"{prefix}transformer.resblocks.{layer}.mlp.c_fc.weight", ones(4, 1024)),
        ]).Concat(
        [
            ($"{prefix}token_embedding.weight", ones(7, 1024)), ($"{prefix}positional_embedding", ones(77, 1024)),
            ($"{prefix}text_projection", ones(1024, 1024)),
        ]);
        SafetensorsWriter.Write(File, [.. tensors.Select(tensor => KeyValuePair.Create(tensor.Item1, tensor.Item2))]);
        using var file = OneFile.Open(File);
        var names = file.Parts[OneFile.First].Entries.Keys;
        Assert.Contains("text_model.encoder.layers.22.self_attn.v_proj.bias", names);
        Assert.DoesNotContain(names, name => name.Contains("layers.23.") || name.Contains("text_projection"));
        var config = ClipTextConfig.From(JsonConfig.Parse(
            OneFileConfigs.Of(file.Model, OneFile.First, file.Parts[OneFile.First].Entries, null).ToJsonString(), "text_encoder"));
        Assert.Equal((23, 16, 1024, "gelu"), (config.Layers, config.Heads, config.HiddenSize, config.Activation));
    }

    // The numbers of weights are those of the published models.
    [Theory]
    [InlineData(false, 859_520_964)]
    [InlineData(true, 865_910_724)]
    public void Of_ShapesOfTheUNet_GiveThePublishedModel(bool second, long parameters)
    {
        var model = second ? OriginalModel.Sd2 : OriginalModel.Sd1;
        var json = OneFileConfigs.Known(model, "unet/config.json");
        foreach (var (key, value) in new Dictionary<string, object>
        {
            ["block_out_channels"] = new[] { 320, 640, 1280, 1280 },
            ["down_block_types"] = new[] { "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D" },
            ["up_block_types"] = new[] { "UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D" },
            ["attention_head_dim"] = second ? new[] { 5, 10, 20, 20 } : 8,
            ["cross_attention_dim"] = second ? 1024 : 768,
            ["use_linear_projection"] = second,
        })
            json[key] = System.Text.Json.JsonSerializer.SerializeToNode(value);
        var published = UNetConfig.From(JsonConfig.Parse(json.ToJsonString(), "published"));
        using var weights = new Weights(new RandomWeights(0, absent: _ => true), float32);
        _ = new UNet(weights, published);
        Assert.Equal(parameters, weights.Tensors.Values.Sum(tensor => tensor.numel()));

        var entries = weights.Tensors.ToDictionary(pair => pair.Key, pair => new TensorEntry(pair.Key, ElementType.F16, pair.Value.shape));
        var derived = UNetConfig.From(JsonConfig.Parse(
            OneFileConfigs.Of(model, OneFile.UNet, entries, null).ToJsonString(), "derived"));
        Assert.Equal(published.Levels, derived.Levels);
        Assert.Equal(published with { Levels = derived.Levels }, derived);
    }

    [Theory]
    [InlineData("SD 1.x", SchedulerKind.Pndm, PredictionType.Epsilon, TimestepSpacing.Leading)]
    [InlineData("SD 2.x", SchedulerKind.Ddim, PredictionType.VPrediction, TimestepSpacing.Leading)]
    [InlineData("SD-Turbo", SchedulerKind.Euler, PredictionType.Epsilon, TimestepSpacing.Trailing)]
    public void Known_Model_HasThePublishedScheduler(string name, SchedulerKind kind, PredictionType prediction, TimestepSpacing spacing)
    {
        var model = ((OriginalModel[])[OriginalModel.Sd1, OriginalModel.Sd2, OriginalModel.SdTurbo]).Single(one => one.Name == name);
        var scheduler = SchedulerConfig.From(
            JsonConfig.Parse(OneFileConfigs.Known(model, "scheduler/scheduler_config.json").ToJsonString(), name));
        Assert.Equal((kind, prediction, spacing, 1), (scheduler.Kind, scheduler.Prediction, scheduler.Spacing, scheduler.StepsOffset));
        Assert.Equal((.00085, .012), (scheduler.BetaStart, scheduler.BetaEnd));
        Assert.Equal(ModelFamily.Sd,
            ModelFamily.Of(JsonConfig.Parse(OneFileConfigs.Known(model, "model_index.json").ToJsonString(), name)));
    }

    [Theory]
    [InlineData("cond_stage_model.transformer.text_model.embeddings.token_embedding.weight", 768, "SD 1.x", false)]
    [InlineData("cond_stage_model.model.token_embedding.weight", 1024, "SD 2.x", true)]
    [InlineData("conditioner.embedders.0.model.token_embedding.weight", 1024, "SD-Turbo", false)]
    public void Open_ATextEncoder_TellsTheModelAndWhatIsOpen(string tensor, int width, string name, bool isInDoubt)
    {
        using var scope = NewDisposeScope();
        SafetensorsWriter.Write(File, [KeyValuePair.Create(tensor, zeros(2, width))]);
        using var parts = ModelParts.Open(File, new());
        Assert.Equal($"{name} in the original layout, text encoder", Inspection.Read(File).Title);
        Assert.Equal(isInDoubt, parts.Doubt?.Contains("--scheduler") ?? false);
        Assert.Equal(["tokenizer"], SteerableModels.Tokenizers(File).Select(one => one.Name));
        var pad = SteerableModels.Tokenizers(File)[0].Tokenizer.PadId;
        Assert.Equal(name == "SD 1.x" ? 49407 : 0, pad);
    }

    private void Write(bool second)
    {
        if (second)
            TinySd.WriteSecond(Model);
        else
            TinySd.WriteFirst(Model);
    }

    /// <summary>Writes some tensors of the model's file, without the configurations.</summary>
    private void Strip(Func<string, string?> rename)
    {
        using var scope = NewDisposeScope();
        ModelConversion.ToFile(Model, _folder.At("whole.safetensors"));
        using var checkpoint = Checkpoint.Open(_folder.At("whole.safetensors"));
        SafetensorsWriter.Write(File, checkpoint.Entries.Keys.Where(name => rename(name) is not null)
            .Select(name => KeyValuePair.Create(rename(name)!, checkpoint.Read(name))).ToList());
    }

    private static byte[] PixelsOf(string path, PipelineOptions? options = null)
    {
        using var scope = NewDisposeScope();
        using var pipeline = DiffusionPipeline.Load(path, options);
        return Pixels.ToBytes(pipeline.Generate(Request).Images).bytes.ToArray();
    }
}
