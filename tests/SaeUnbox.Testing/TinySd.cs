using System.Text.Json.Nodes;
using TorchSharp;

namespace SaeUnbox.Testing;

/// <summary>
/// Small random models in the form of SD 1.x (8 or fewer heads as a number, projections as convolutions, epsilon) and of SD 2.x (heads by
/// level, linear projections, velocity). Text encoders, tokenizers and the autoencoder are those of the golden model.
/// </summary>
public static class TinySd
{
    public const string Pndm = """
        {"_class_name": "PNDMScheduler", "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "clip_sample": false,
         "num_train_timesteps": 1000, "set_alpha_to_one": false, "skip_prk_steps": true, "steps_offset": 1, "trained_betas": null}
        """;

    public const string Ddim = """
        {"_class_name": "DDIMScheduler", "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "clip_sample": false,
         "num_train_timesteps": 1000, "prediction_type": "v_prediction", "set_alpha_to_one": false, "steps_offset": 1}
        """;

    /// <summary>SD-Turbo's.</summary>
    public const string Turbo = """
        {"_class_name": "EulerDiscreteScheduler", "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
         "num_train_timesteps": 1000, "prediction_type": "epsilon", "steps_offset": 1, "timestep_spacing": "trailing"}
        """;

    private const string UNetConfiguration = """
        {"_class_name": "UNet2DConditionModel", "act_fn": "silu", "block_out_channels": [16, 24, 40, 40], "center_input_sample": false,
         "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
         "downsample_padding": 1, "flip_sin_to_cos": true, "freq_shift": 0, "in_channels": 4, "layers_per_block": 2,
         "mid_block_scale_factor": 1, "norm_eps": 1e-05, "norm_num_groups": 8, "out_channels": 4, "sample_size": 16,
         "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"]}
        """;

    /// <summary>Writes a model of the form of SD 1.x.</summary>
    /// <param name="folder">A new folder.</param>
    /// <param name="scheduler">The text of its scheduler_config.json.</param>
    public static void WriteFirst(string folder, string scheduler = Pndm) =>
        Write(folder, "", new() { ["attention_head_dim"] = 4 }, scheduler);

    /// <summary>Writes a model of the form of SD 2.x.</summary>
    /// <inheritdoc cref="WriteFirst"/>
    public static void WriteSecond(string folder, string scheduler = Ddim) => Write(folder, "_2", new()
    {
        ["attention_head_dim"] = new JsonArray(2, 3, 5, 5),
        ["use_linear_projection"] = true,
        ["upcast_attention"] = true,
    }, scheduler);

    /// <summary>Writes random dictionaries of 24 features for up.1.1 and up.1.2, as SAeUron lays them out, with means.</summary>
    public static void WriteSaes(string folder)
    {
        const int width = 40, features = 24;
        using var scope = torch.NewDisposeScope();
        using var generator = new torch.Generator(5);
        foreach (var site in (string[])["unet.up_blocks.1.attentions.1", "unet.up_blocks.1.attentions.2"])
        {
            var path = Directory.CreateDirectory(Path.Combine(folder, site)).FullName;
            File.WriteAllText(Path.Combine(path, "cfg.json"), $$"""
                {"d_in": {{width}}, "num_latents": {{features}}, "expansion_factor": 1, "k": 4, "batch_topk": true, "sample_topk": false,
                 "input_unit_norm": false, "multi_topk": false}
                """);
            SafetensorsWriter.Write(Path.Combine(path, "sae.safetensors"), new Dictionary<string, torch.Tensor>
            {
                ["encoder.weight"] = Draw(features, width),
                ["encoder.bias"] = Draw(features).Times(.1),
                ["W_dec"] = Draw(features, width).Over(Math.Sqrt(width)),
                ["b_dec"] = Draw(width).Times(.1),
            });
            TorchFileWriter.Write(Path.Combine(path, "mean.pt"), Draw(features).abs());
            TorchFileWriter.Write(Path.Combine(path, "std.pt"), Draw(features).abs());
        }

        torch.Tensor Draw(params long[] shape) => torch.randn(shape, generator: generator);
    }

    // Which of the golden model's text encoders it has.
    private static void Write(string folder, string encoder, JsonObject options, string scheduler)
    {
        Copy("tokenizer" + encoder, Path.Combine(folder, "tokenizer"));
        CopyEncoder("text_encoder" + encoder, Path.Combine(folder, "text_encoder"));
        Copy("vae", Path.Combine(folder, "vae"));
        WriteJson(Path.Combine(folder, "vae"), Changed(Path.Combine(folder, "vae", "config.json"), "scaling_factor", 0.18215));
        Directory.CreateDirectory(Path.Combine(folder, "scheduler"));
        File.WriteAllText(Path.Combine(folder, "scheduler", "scheduler_config.json"), scheduler);

        var json = JsonNode.Parse(UNetConfiguration)!.AsObject();
        foreach (var (key, value) in options)
            json[key] = value?.DeepClone();
        json["cross_attention_dim"] =
            JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "text_encoder", "config.json")))!["hidden_size"]!.GetValue<int>();
        WriteJson(Directory.CreateDirectory(Path.Combine(folder, "unet")).FullName, json);
        WriteWeights(Path.Combine(folder, "unet", "diffusion_pytorch_model.safetensors"), json);

        File.WriteAllText(Path.Combine(folder, "model_index.json"), $$"""
            {"_class_name": "StableDiffusionPipeline", "feature_extractor": ["transformers", "CLIPImageProcessor"],
             "safety_checker": [null, null], "requires_safety_checker": false,
             "scheduler": ["diffusers", {{JsonNode.Parse(scheduler)!["_class_name"]!.ToJsonString()}}],
             "text_encoder": ["transformers", "CLIPTextModel"], "tokenizer": ["transformers", "CLIPTokenizer"],
             "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"]}
            """);
    }

    private static void WriteWeights(string path, JsonObject json)
    {
        using var scope = torch.NewDisposeScope();
        using var mode = torch.no_grad();
        using var weights = new Weights(new RandomWeights(3), torch.ScalarType.Float32);
        _ = new UNet(weights, UNetConfig.From(JsonConfig.Parse(json.ToJsonString(), path)));
        weights.Load();
        using var generator = new torch.Generator(11);
        // Random weights have biases of 0 and norms of 1, which would hide a mistake.
        foreach (var (_, tensor) in weights.Tensors.OrderBy(pair => pair.Key, StringComparer.Ordinal).Where(pair => pair.Value.dim() < 2))
            tensor.Accumulate(torch.randn(tensor.shape, generator: generator), .1);
        SafetensorsWriter.Write(path, [.. weights.Tensors.Select(pair => KeyValuePair.Create(pair.Key, pair.Value.contiguous()))]);
    }

    // SD's text encoders have no projection.
    private static void CopyEncoder(string part, string target)
    {
        using var scope = torch.NewDisposeScope();
        Directory.CreateDirectory(target);
        WriteJson(target, Changed(Goldens.At("model", part, "config.json"), "architectures", new JsonArray("CLIPTextModel")));
        using var weights = Checkpoint.OpenFolder(Goldens.At("model", part));
        SafetensorsWriter.Write(Path.Combine(target, "model.safetensors"), [.. weights.Entries.Keys
            .Where(name => name != "text_projection.weight").Select(name => KeyValuePair.Create(name, weights.Read(name)))]);
    }

    private static void Copy(string part, string target)
    {
        Directory.CreateDirectory(target);
        foreach (var file in Directory.EnumerateFiles(Goldens.At("model", part)))
            File.Copy(file, Path.Combine(target, Path.GetFileName(file)));
    }

    private static JsonObject Changed(string path, string key, JsonNode value)
    {
        var json = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        json[key] = value;
        return json;
    }

    private static void WriteJson(string folder, JsonObject json) =>
        File.WriteAllText(Path.Combine(folder, "config.json"), json.ToJsonString());
}
