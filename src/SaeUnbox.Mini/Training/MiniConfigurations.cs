using System.Text.Json;

namespace SaeUnbox.Mini.Training;

/// <summary>Writes the configuration files of the model folder, in diffusers' layout; every part is then built from what the files say.</summary>
internal static class MiniConfigurations
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    public const int Positions = 77;

    public static void Write(string folder, MiniTrainingOptions options, int vocabulary, int startId, int endId)
    {
        var (network, decoder) = (options.Network, options.Decoder);
        Write(folder, "", "model_index.json", new Dictionary<string, object?>
        {
            ["_class_name"] = "StableDiffusionXLPipeline",
            ["_diffusers_version"] = "0.30.0",
            ["force_zeros_for_empty_prompt"] = false,
            ["scheduler"] = new[] { "diffusers", "EulerAncestralDiscreteScheduler" },
            ["text_encoder"] = new[] { "transformers", "CLIPTextModel" },
            ["text_encoder_2"] = new[] { "transformers", "CLIPTextModelWithProjection" },
            ["tokenizer"] = new[] { "transformers", "CLIPTokenizer" },
            ["tokenizer_2"] = new[] { "transformers", "CLIPTokenizer" },
            ["unet"] = new[] { "diffusers", "UNet2DConditionModel" },
            ["vae"] = new[] { "diffusers", "AutoencoderTiny" },
        });
        Write(folder, "scheduler", "scheduler_config.json", new Dictionary<string, object?>
        {
            ["_class_name"] = "EulerAncestralDiscreteScheduler",
            ["beta_start"] = .00085,
            ["beta_end"] = .012,
            ["beta_schedule"] = "scaled_linear",
            ["num_train_timesteps"] = 1000,
            ["prediction_type"] = "v_prediction",
            ["steps_offset"] = 1,
            ["timestep_spacing"] = "trailing",
        });
        Write(folder, "vae", "config.json", new Dictionary<string, object?>
        {
            ["_class_name"] = "AutoencoderTiny",
            ["act_fn"] = "relu",
            ["in_channels"] = 3,
            ["out_channels"] = 3,
            ["latent_channels"] = LatentCode.Channels,
            ["encoder_block_out_channels"] = Enumerable.Repeat(LatentEncoderWeights.Width, 3),
            ["decoder_block_out_channels"] = Enumerable.Repeat(decoder.Width, 3),
            ["num_encoder_blocks"] = new[] { 0, 0, 0 },
            ["num_decoder_blocks"] = decoder.Blocks,
            ["upsampling_scaling_factor"] = 2,
            ["upsample_fn"] = "nearest",
            ["scaling_factor"] = options.Latents.ScalingFactor,
        });
        Write(folder, "unet", "config.json", UNet(options));
        foreach (var (name, second) in new[] { ("text_encoder", false), ("text_encoder_2", true) })
            Write(folder, name, "config.json", TextEncoder(network, second, vocabulary, startId, endId));
    }

    private static Dictionary<string, object?> UNet(MiniTrainingOptions options) => new()
    {
        ["_class_name"] = "UNet2DConditionModel",
        ["act_fn"] = "silu",
        ["addition_embed_type"] = "text_time",
        ["addition_time_embed_dim"] = options.Network.TimeIdChannels,
        ["attention_head_dim"] = options.Network.Heads,
        ["block_out_channels"] = options.Network.Channels,
        ["center_input_sample"] = false,
        ["cross_attention_dim"] = 2 * options.Network.TextWidth,
        ["down_block_types"] = new[] { "DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D" },
        ["downsample_padding"] = 1,
        ["flip_sin_to_cos"] = true,
        ["freq_shift"] = 0,
        ["in_channels"] = LatentCode.Channels,
        ["layers_per_block"] = options.Network.Layers,
        ["mid_block_type"] = "UNetMidBlock2DCrossAttn",
        ["norm_eps"] = 1e-5,
        ["norm_num_groups"] = options.Network.NormGroups,
        ["out_channels"] = LatentCode.Channels,
        ["projection_class_embeddings_input_dim"] = 6 * options.Network.TimeIdChannels + options.Network.TextWidth,
        ["sample_size"] = options.PictureSize / LatentCode.Patch,
        ["transformer_layers_per_block"] = options.Network.TransformerLayers,
        ["up_block_types"] = new[] { "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D" },
        ["use_linear_projection"] = true,
    };

    private static Dictionary<string, object?> TextEncoder(NetworkOptions network, bool second, int vocabulary, int startId, int endId) => new()
    {
        ["architectures"] = new[] { second ? "CLIPTextModelWithProjection" : "CLIPTextModel" },
        ["model_type"] = "clip_text_model",
        ["bos_token_id"] = startId,
        ["eos_token_id"] = endId,
        ["pad_token_id"] = second ? 0 : endId,
        ["hidden_act"] = second ? "gelu" : "quick_gelu",
        ["hidden_size"] = network.TextWidth,
        ["intermediate_size"] = 4 * network.TextWidth,
        ["layer_norm_eps"] = 1e-5,
        ["max_position_embeddings"] = Positions,
        ["num_attention_heads"] = network.TextHeads,
        ["num_hidden_layers"] = network.TextLayers,
        ["projection_dim"] = network.TextWidth,
        ["vocab_size"] = vocabulary,
    };

    private static void Write(string folder, string part, string file, Dictionary<string, object?> values)
    {
        var directory = Directory.CreateDirectory(Path.Combine(folder, part)).FullName;
        AtomicFile.WriteAllText(Path.Combine(directory, file), JsonSerializer.Serialize(values, Indented) + "\n");
    }
}
