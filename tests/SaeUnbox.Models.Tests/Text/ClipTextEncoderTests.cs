using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Models.Tests;

public sealed class ClipTextEncoderTests
{
    private const string Json = """
        {"model_type": "clip_text_model", "hidden_size": 12, "intermediate_size": 20, "num_hidden_layers": 3, "num_attention_heads": 3,
         "max_position_embeddings": 9, "vocab_size": 30, "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5,
         "projection_dim": 7, "eos_token_id": 5}
        """;

    private static readonly ClipTextConfig Config = ClipTextConfig.From(JsonConfig.Parse(Json, "config.json"));

    [Fact]
    public void Forward_LaterTokenChanged_LeavesEarlierStates()
    {
        using var scope = NewDisposeScope();
        var encoder = Random(Config);
        var last = encoder.Forward([[1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 4, 9, 6, 7]]).Last;
        TensorAssert.Close(last[0].narrow(0, 0, 4), last[1].narrow(0, 0, 4), 1e-6);
        Assert.True((last[0].narrow(0, 4, 3) - last[1].narrow(0, 4, 3)).abs().min(1).values.sum().item<float>() > 1e-3);
    }

    [Theory]
    [InlineData(5, new[] { 1, 5, 8, 5, 2 }, 1)] // the first end token
    [InlineData(5, new[] { 1, 8, 2, 3, 4 }, 0)] // there is none
    [InlineData(2, new[] { 1, 2, 8, 8, 2 }, 2)] // legacy: the first of the largest ids
    public void Forward_WithoutProjection_PoolsTheStateAtTheEndToken(int endId, int[] ids, int expected)
    {
        using var scope = NewDisposeScope();
        var states = Random(Config with { EndId = endId }, hasProjection: false).Forward([ids, ids]);
        TensorAssert.Same(states.Last.select(1, expected), states.Pooled);
    }

    [Fact]
    public void Forward_WithProjection_PooledHasTheProjectionsSize()
    {
        using var scope = NewDisposeScope();
        Assert.Equal([1, 7], Random(Config).Forward([[1, 2]]).Pooled.shape);
    }

    [Theory]
    [InlineData(new[] { 1, 30 }, "vocab_size")]
    [InlineData(new[] { 1, -1 }, "vocab_size")]
    [InlineData(new[] { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, "max_position_embeddings")]
    [InlineData(new int[0], "at least one token")]
    public void Forward_InvalidIds_SaysWhy(int[] ids, string named)
    {
        using var scope = NewDisposeScope();
        Assert.Contains(named, Assert.Throws<ModelException>(() => Random(Config).Forward([ids])).Message);
    }

    [Theory]
    [InlineData("\"num_attention_heads\": 3", "\"num_attention_heads\": 5", "num_attention_heads")]
    [InlineData("\"hidden_size\": 12", "\"hidden_size\": 0", "hidden_size")]
    [InlineData("quick_gelu", "tanh", "hidden_act")]
    [InlineData("\"layer_norm_eps\": 1e-5", "\"layer_norm_eps\": 0", "layer_norm_eps")]
    [InlineData("\"vocab_size\": 30", "\"vocab_size\": \"30\"", "vocab_size")]
    [InlineData("clip_text_model", "bert", "model_type")]
    public void From_BadValue_NamesFileAndKey(string good, string bad, string named)
    {
        var error = Assert.Throws<ModelException>(() => ClipTextConfig.From(JsonConfig.Parse(Json.Replace(good, bad), "the/config.json")));
        Assert.StartsWith($"the/config.json: {named} must be", error.Message);
    }

    [Fact]
    public void Load_FileWithPositionIds_IgnoresThem()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        var (encoder, weights) = Build(Config, new RandomWeights(1));
        var path = folder.At("model.safetensors");
        SafetensorsWriter.Write(path,
            weights.Tensors.Append(new("text_model.embeddings.position_ids", Arithmetic.Range(0, 9, ScalarType.Int64).unsqueeze(0))));
        using var checkpoint = Checkpoint.Open(path);
        TensorAssert.Same(encoder.Forward([[1, 2]]).Pooled, Build(Config, checkpoint).Encoder.Forward([[1, 2]]).Pooled);
    }

    private static ClipTextEncoder Random(ClipTextConfig config, bool hasProjection = true) =>
        Build(config, new RandomWeights(1, name => !hasProjection && name.StartsWith("text_projection", StringComparison.Ordinal))).Encoder;

    private static (ClipTextEncoder Encoder, Weights Weights) Build(ClipTextConfig config, IWeightSource source)
    {
        var weights = new Weights(source, ScalarType.Float32);
        var encoder = new ClipTextEncoder(weights, config);
        weights.Load();
        return (encoder, weights);
    }
}
