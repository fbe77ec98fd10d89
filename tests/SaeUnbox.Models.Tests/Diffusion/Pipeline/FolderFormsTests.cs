using System.Text.Json;
using System.Text.Json.Nodes;
using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Models.Tests;

/// <summary>The small model, laid out as other library versions and hubs lay it out: its images stay the same bit for bit.</summary>
public sealed class FolderFormsTests : IDisposable
{
    private const string UNetWeights = "diffusion_pytorch_model.safetensors", TextWeights = "model.safetensors";

    private static readonly ImageRequest Request = new() { Prompts = ["a cat"], Seeds = [1], Steps = 1, Height = 64, Width = 64 };

    private readonly TemporaryFolder _folder = new();

    public FolderFormsTests() => ModelCopy.To(_folder.Path);

    [Theory]
    [InlineData("bf16")]
    [InlineData("fp16")]
    [InlineData("fp32")]
    public void Load_OneVariantAlone_GivesTheSameImage(string variant)
    {
        foreach (var file in Directory.EnumerateFiles(_folder.Path, "*.safetensors", SearchOption.AllDirectories).ToList())
            File.Move(file, Path.ChangeExtension(file, $".{variant}.safetensors"));
        AssertSameImage();
    }

    [Theory]
    [InlineData("diffusion_pytorch_model.safetensors.index.json")]
    [InlineData("diffusion_pytorch_model.safetensors.fp16.index.json")]
    [InlineData("diffusion_pytorch_model.safetensors.index.fp16.json")]
    public void Load_Shards_GiveTheSameImage(string index)
    {
        Shard(_folder.At("unet"), UNetWeights, index);
        AssertSameImage();
    }

    [Fact]
    public void Load_TextEncodersWithoutPrefix_GiveTheSameImage()
    {
        foreach (var encoder in (string[])["text_encoder", "text_encoder_2"])
        {
            Rename(_folder.At(encoder, TextWeights), name => name.Replace("text_model.", ""));
            Assert.Equal(CheckpointKind.TextEncoder, Inspection.Read(_folder.At(encoder, TextWeights)).Kind);
        }
        AssertSameImage();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Load_TokenizerJsonAlone_GivesTheSameImage(bool pairs)
    {
        foreach (var tokenizer in (string[])["tokenizer", "tokenizer_2"])
        {
            Directory.Delete(_folder.At(tokenizer), recursive: true);
            TokenizerJsonTests.Write(_folder.At(tokenizer), tokenizer, pairs);
            Assert.Equal(CheckpointKind.Tokenizer, Inspection.Read(_folder.At(tokenizer)).Kind);
        }
        AssertSameImage();
    }

    [Fact]
    public void Load_IndexWithEmptyEntries_GivesTheSameImage()
    {
        SetIndex("image_encoder", new JsonArray(null, null));
        SetIndex("feature_extractor", new JsonArray(null, null));
        AssertSameImage();
        Assert.Equal(CheckpointKind.Pipeline, Inspection.Read(_folder.Path).Kind);
    }

    [Fact]
    public void Load_IndexWithoutTextEncoder_NamesIt()
    {
        SetIndex("text_encoder", new JsonArray(null, null));
        Directory.Delete(_folder.At("text_encoder"), recursive: true);
        var message = Assert.Throws<ModelException>(() => DiffusionPipeline.Load(_folder.Path)).Message;
        Assert.Contains("has no text_encoder", message);
        Assert.Contains("not supported", message);
    }

    [Fact]
    public void Load_WeightsBesideAnOptimizer_GiveTheSameImageAndAWarning()
    {
        using (var scope = NewDisposeScope())
        {
            var state = Tensors(_folder.At("unet", UNetWeights))
                .ToDictionary(item => $"module._orig_mod.{item.Key}", item => (object?)item.Value);
            File.Delete(_folder.At("unet", UNetWeights));
            TorchFileWriter.Write(_folder.At("unet", "diffusion_pytorch_model.bin"), new Dictionary<string, object?>
            {
                ["epoch"] = 3,
                ["state_dict"] = state,
                ["optimizer"] = new Dictionary<string, object?> { ["exp_avg"] = zeros(100_000) },
            });
        }
        var notes = new List<string>();
        AssertSameImage(options: new() { Note = notes.Add });
        var note = Assert.Single(notes);
        Assert.Contains("diffusion_pytorch_model.bin", note);
        Assert.Contains("from 'state_dict', without optimizer, and 'module._orig_mod.'", note);
        Assert.Equal(CheckpointKind.UNet, Inspection.Read(_folder.At("unet")).Kind);

        var shares = new List<double>();
        DiffusionPipeline.Load(_folder.Path, new() { Progress = shares.Add }).Dispose();
        Assert.Equal(1, shares[^1], 1e-9);
    }

    [Theory]
    [InlineData("unet", UNetWeights)]
    [InlineData("vae", UNetWeights)]
    public void Load_AttentionStoredAsConvolutions_GivesTheSameImage(string part, string weights)
    {
        Rewrite(_folder.At(part, weights), (name, tensor) => name.Contains(".to_") && tensor.dim() == 2
            ? tensor.view([.. tensor.shape, 1, 1]) : tensor);
        AssertSameImage();
    }

    [Theory]
    [InlineData("only_cross_attention", "[false, false, false]")]
    [InlineData("upcast_attention", "true")]
    public void Load_OptionWithoutEffectInFloat32_GivesTheSameImage(string key, string value)
    {
        var path = _folder.At("unet", "config.json");
        var config = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        config[key] = JsonNode.Parse(value);
        File.WriteAllText(path, config.ToJsonString());
        AssertSameImage();
    }

    [Theory]
    [InlineData("unet", UNetWeights)]
    [InlineData("text_encoder", TextWeights)]
    [InlineData("vae", UNetWeights)]
    public void Load_IntegerWeights_AreRefusedAsQuantised(string part, string weights)
    {
        Rewrite(_folder.At(part, weights), (_, tensor) => tensor.dim() > 1 ? tensor.Times(100).to_type(ScalarType.Int8) : tensor);
        var message = Assert.Throws<CheckpointException>(() => DiffusionPipeline.Load(_folder.Path)).Message;
        Assert.Contains("quantised", message);
        Assert.Contains(_folder.At(part, weights), message);
    }

    [Theory]
    [InlineData("EulerDiscreteScheduler", "rescale_betas_zero_snr", 3)]
    [InlineData("EulerDiscreteScheduler", "use_karras_sigmas", 3)]
    [InlineData("LCMScheduler", "set_alpha_to_one", 4)]
    public void Generate_OtherScheduler_RunsAllStepsAndResumesBitForBit(string name, string key, int steps)
    {
        using var scope = NewDisposeScope();
        File.WriteAllText(_folder.At("scheduler", "scheduler_config.json"), $$"""
            {"_class_name": "{{name}}", "{{key}}": true, "beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
            """);
        using var pipeline = DiffusionPipeline.Load(_folder.Path);
        using var run = pipeline.Begin(Request with { Steps = steps });
        var all = run.Denoise().ToList();
        Assert.Equal(steps, all.Count);
        Assert.True(all[^1].After.isfinite().all().item<bool>());
        TensorAssert.Same(all[^1].After, run.Denoise(steps - 1, all[^1].Before).Single().After);
        TensorAssert.Same(all[^1].After, pipeline.Generate(Request with { Steps = steps }).Latents);
    }

    [Fact]
    public void Load_HubCacheFolder_GivesTheSameImage()
    {
        var cache = _folder.At("models--owner--tiny");
        var snapshot = Path.Combine(cache, "snapshots", "0123abc");
        Directory.CreateDirectory(Path.Combine(cache, "snapshots"));
        Directory.CreateDirectory(Path.Combine(cache, "refs"));
        File.WriteAllText(Path.Combine(cache, "refs", "main"), "0123abc");
        Directory.CreateSymbolicLink(snapshot, Goldens.At("model"));
        AssertSameImage(cache);
        Assert.Equal(CheckpointKind.Pipeline, Inspection.Read(cache).Kind);
    }

    public void Dispose() => _folder.Dispose();

    private void AssertSameImage(string? folder = null, PipelineOptions? options = null)
    {
        using var scope = NewDisposeScope();
        TensorAssert.Same(Image(Goldens.At("model")), Image(folder ?? _folder.Path, options));
    }

    private static Tensor Image(string folder, PipelineOptions? options = null)
    {
        using var pipeline = DiffusionPipeline.Load(folder, options);
        return pipeline.Generate(Request).Images;
    }

    private void SetIndex(string key, JsonNode value)
    {
        var path = _folder.At("model_index.json");
        var index = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        index[key] = value;
        File.WriteAllText(path, index.ToJsonString());
    }

    private static Dictionary<string, Tensor> Tensors(string path)
    {
        using var file = Checkpoint.Open(path);
        return file.Entries.Keys.ToDictionary(name => name, file.Read);
    }

    private static void Rename(string path, Func<string, string> rename)
    {
        using var scope = NewDisposeScope();
        SafetensorsWriter.Write(path, Tensors(path).Select(item => KeyValuePair.Create(rename(item.Key), item.Value)).ToList());
    }

    private static void Rewrite(string path, Func<string, Tensor, Tensor> change)
    {
        using var scope = NewDisposeScope();
        SafetensorsWriter.Write(path, Tensors(path).Select(item => KeyValuePair.Create(item.Key, change(item.Key, item.Value))).ToList());
    }

    private static void Shard(string folder, string weights, string index)
    {
        using var scope = NewDisposeScope();
        var tensors = Tensors(Path.Combine(folder, weights));
        File.Delete(Path.Combine(folder, weights));
        var map = new Dictionary<string, string>();
        foreach (var (shard, i) in tensors.Chunk(tensors.Count / 2 + 1).Select((shard, i) => (shard, i)))
        {
            var name = $"{Path.GetFileNameWithoutExtension(weights)}-0000{i + 1}-of-00002.safetensors";
            SafetensorsWriter.Write(Path.Combine(folder, name), shard);
            foreach (var (tensor, _) in shard)
                map[tensor] = name;
        }
        File.WriteAllText(Path.Combine(folder, index), JsonSerializer.Serialize(new { weight_map = map }));
    }
}
