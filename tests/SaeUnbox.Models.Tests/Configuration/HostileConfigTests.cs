using System.Text.Json.Nodes;
using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Models.Tests;

/// <summary>Sizes that no model has: one sentence, and neither a hang nor memory without end.</summary>
public sealed class HostileConfigTests
{
    private const int Huge = int.MaxValue;

    [Theory]
    [InlineData("unet", "layers_per_block")]
    [InlineData("unet", "transformer_layers_per_block")]
    [InlineData("unet", "cross_attention_dim")]
    [InlineData("unet", "in_channels")]
    [InlineData("unet", "sample_size")]
    [InlineData("unet", "conv_in_kernel")]
    [InlineData("vae", "layers_per_block")]
    [InlineData("vae", "latent_channels")]
    [InlineData("text_encoder", "num_hidden_layers")]
    [InlineData("text_encoder", "vocab_size")]
    [InlineData("text_encoder_2", "projection_dim")]
    [InlineData("scheduler", "num_train_timesteps")]
    [InlineData("scheduler", "steps_offset")]
    public void Load_HugeNumber_NamesIt(string component, string key)
    {
        var message = Assert.Throws<ModelException>(() => LoadChanged(component, key, Huge)).Message;
        Assert.Contains(key, message);
        Assert.Contains(component, message);
    }

    [Theory]
    [InlineData("unet", "layers_per_block")]
    [InlineData("unet", "transformer_layers_per_block")]
    [InlineData("vae", "layers_per_block")]
    [InlineData("text_encoder", "num_hidden_layers")]
    public void Load_DeepestNetworkAllowed_ListsOnlyTheFirstFaults(string component, string key)
    {
        var message = Assert.Throws<CheckpointException>(() => LoadChanged(component, key, 1 << 20)).Message;
        Assert.Contains("more than 10000 tensors are missing", message);
        Assert.True(message.Length < 1000);
    }

    [Theory]
    [InlineData("block_out_channels")]
    [InlineData("layers_per_block")]
    public void Load_TooManyLevels_NamesTheList(string key)
    {
        var levels = new JsonArray([.. Enumerable.Repeat(8, 10_000).Select(width => (JsonNode)width)]);
        Assert.Contains(key, Assert.Throws<ModelException>(() => LoadChanged("unet", key, levels)).Message);
    }

    [Theory]
    [InlineData("unet", "config.json")]
    [InlineData("tokenizer", "vocab.json")]
    [InlineData("tokenizer_2", "merges.txt")]
    public void Load_HugeFile_IsNotRead(string component, string file)
    {
        using var folder = new TemporaryFolder();
        ModelCopy.To(folder.Path);
        using (var stream = File.OpenWrite(folder.At(component, file)))
            stream.SetLength(1L << 40);
        var message = Assert.Throws<ModelException>(() => DiffusionPipeline.Load(folder.Path).Dispose()).Message;
        Assert.Contains(Path.Combine(component, file), message);
        Assert.Contains("larger than", message);
    }

    [Fact]
    public void Decode_SampleSizeBelowOneCell_IsTiledCellByCell()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        ModelCopy.To(folder.Path);
        Change(folder.At("vae", "config.json"), "sample_size", 1);
        var (autoencoder, weights) = Autoencoder.Load(folder.At("vae"), Precision.For(ScalarType.Float32, CPU), new Tiling(0));
        using var _ = weights;
        var image = autoencoder.Decode(randn([1, autoencoder.LatentChannels, 2, 3]));
        Assert.Equal([1L, 3, 2 * autoencoder.PixelsPerCell, 3 * autoencoder.PixelsPerCell], image.shape);
    }

    private static void LoadChanged(string component, string key, JsonNode value)
    {
        using var folder = new TemporaryFolder();
        ModelCopy.To(folder.Path);
        Change(folder.At(component, component == "scheduler" ? "scheduler_config.json" : "config.json"), key, value);
        DiffusionPipeline.Load(folder.Path).Dispose();
    }

    private static void Change(string path, string key, JsonNode value)
    {
        var config = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        config[key] = value;
        File.WriteAllText(path, config.ToJsonString());
    }
}
