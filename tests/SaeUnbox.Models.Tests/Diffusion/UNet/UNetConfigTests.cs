using System.Text.Json.Nodes;

namespace SaeUnbox.Models.Tests.UNets;

public sealed class UNetConfigTests
{
    [Theory]
    [InlineData("block_out_channels", "[16, 24, 41]", "norm_num_groups")]
    [InlineData("block_out_channels", "[]", "numbers from 1")]
    [InlineData("down_block_types", """["DownBlock2D", "AttnDownBlock2D", "CrossAttnDownBlock2D"]""", "AttnDownBlock2D")]
    [InlineData("up_block_types", """["CrossAttnUpBlock2D", "SkipUpBlock2D", "UpBlock2D"]""", "SkipUpBlock2D")]
    [InlineData("up_block_types", """["UpBlock2D"]""", "has 1")]
    [InlineData("mid_block_type", "\"UNetMidBlock2D\"", "UNetMidBlock2DCrossAttn")]
    [InlineData("layers_per_block", "[2, 2]", "has 2")]
    [InlineData("layers_per_block", "0", "from 1 to")]
    [InlineData("transformer_layers_per_block", "[1, -1, 2]", "numbers from 0")]
    [InlineData("transformer_layers_per_block", "[1, [1, 2], 2]", "whole numbers")]
    [InlineData("reverse_transformer_layers_per_block", "[2, 1, 1]", "not supported")]
    [InlineData("attention_head_dim", "[2, 3, 7]", "does not divide 40")]
    [InlineData("num_attention_heads", "[2, 3, 7]", "does not divide 40")]
    [InlineData("act_fn", "\"gelu\"", "silu")]
    [InlineData("addition_embed_type", "\"image\"", "text_time")]
    [InlineData("class_embed_type", "\"timestep\"", "not supported")]
    [InlineData("resnet_time_scale_shift", "\"scale_shift\"", "default")]
    [InlineData("cross_attention_dim", "0", "from 1 to")]
    [InlineData("cross_attention_dim", "\"wide\"", "whole number")]
    [InlineData("projection_class_embeddings_input_dim", "4", "addition_time_embed_dim")]
    [InlineData("downsample_padding", "0", "1")]
    [InlineData("norm_eps", "-1", "above 0")]
    [InlineData("conv_in_kernel", "2", "odd")]
    public void From_ValueNotUsable_NamesFileFieldAndReason(string key, string value, string reason)
    {
        var error = Assert.Throws<ModelException>(() => Parse(Changed(key, value)));
        Assert.StartsWith("unet/config.json: ", error.Message);
        Assert.Contains(key, error.Message);
        Assert.Contains(reason, error.Message);
    }

    [Theory]
    [InlineData("down_block_types")]
    [InlineData("addition_time_embed_dim")]
    [InlineData("projection_class_embeddings_input_dim")]
    public void From_RequiredFieldAbsent_NamesIt(string key)
    {
        var config = Small();
        config.Remove(key);
        Assert.Contains($"{key} is missing", Assert.Throws<ModelException>(() => Parse(config)).Message);
    }

    [Fact]
    public void From_SingleNumbers_ApplyToEveryLevel()
    {
        var config = Small();
        config["layers_per_block"] = 3;
        config["transformer_layers_per_block"] = 0;
        config["attention_head_dim"] = 8;
        Assert.All(Parse(config).Levels, level => Assert.Equal((3, 0, 8), (level.Layers, level.TransformerLayers, level.Heads)));
    }

    [Fact]
    public void From_HeadCountsGiven_OverrideAttentionHeadDim()
    {
        var config = Small();
        config["num_attention_heads"] = new JsonArray(4, 6, 8);
        Assert.Equal([4, 6, 8], Parse(config).Levels.Select(level => level.Heads));
    }

    [Fact]
    public void From_NoAddition_TakesTextAlone()
    {
        var config = Small();
        Assert.Equal(new UNetAddition(8, 96), Parse(config).Addition);
        foreach (var key in (string[])["addition_embed_type", "addition_time_embed_dim", "projection_class_embeddings_input_dim"])
            config.Remove(key);
        Assert.Null(Parse(config).Addition);
    }

    [Fact]
    public void From_BlockTypes_PlaceTheAttention()
    {
        var config = Small();
        config["up_block_types"] = new JsonArray("UpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D");
        Assert.Equal([(false, false), (true, true), (true, false)],
            Parse(config).Levels.Select(level => (level.DownAttention, level.UpAttention)));
    }

    private static JsonObject Changed(string key, string value)
    {
        var config = Small();
        config[key] = JsonNode.Parse(value);
        return config;
    }

    private static UNetConfig Parse(JsonObject config) => UNetConfig.From(JsonConfig.Parse(config.ToJsonString(), "unet/config.json"));

    internal static JsonObject Small() => JsonNode.Parse("""
        {
          "_class_name": "UNet2DConditionModel",
          "addition_embed_type": "text_time", "addition_time_embed_dim": 8, "projection_class_embeddings_input_dim": 96,
          "attention_head_dim": [2, 3, 5], "block_out_channels": [16, 24, 40], "norm_num_groups": 8,
          "cross_attention_dim": 72, "layers_per_block": 2, "transformer_layers_per_block": [1, 1, 2],
          "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
          "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
          "sample_size": 64, "use_linear_projection": true
        }
        """)!.AsObject();
}
