using TorchSharp;

namespace SaeUnbox.Testing;

/// <summary>
/// A CLIP model's folder as the published one's, tiny and random: every key of openai/clip-vit-base-patch32 in small shapes.
/// </summary>
public static class TinyClip
{
    public const int TextWidth =
        12, VisionWidth = 8, Inner = 20, Heads = 2, Layers = 2, Projection = 6, Side = 16, Patch = 8, Vocabulary = 714,
        Positions = 77;

    private const string Config = """
        {"model_type": "clip", "projection_dim": 6, "logit_scale_init_value": 2.6592,
         "text_config": {"model_type": "clip_text_model", "hidden_size": 12, "intermediate_size": 20, "num_hidden_layers": 2,
           "num_attention_heads": 2,
           "max_position_embeddings": 77, "vocab_size": 714, "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5,
           "projection_dim": 512, "eos_token_id": 2},
         "vision_config": {"model_type": "clip_vision_model", "hidden_size": 8, "intermediate_size": 20,
           "num_hidden_layers": 2, "num_attention_heads": 2,
           "image_size": 16, "patch_size": 8, "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5, "projection_dim": 512}}
        """;

    private const string Preprocessor = """
        {"crop_size": 16, "do_center_crop": true, "do_normalize": true, "do_resize": true,
         "image_mean": [0.48145466, 0.4578275, 0.40821073],
         "image_std": [0.26862954, 0.26130258, 0.27577711], "resample": 3, "size": 16}
        """;

    /// <summary>Writes the folder.</summary>
    /// <returns>The weights by their names; they live as long as the caller's dispose scope.</returns>
    public static Dictionary<string, torch.Tensor> Write(string folder, long seed = 1)
    {
        Directory.CreateDirectory(folder);
        foreach (var file in Directory.GetFiles(Goldens.At("model", "tokenizer")))
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        File.WriteAllText(Path.Combine(folder, "config.json"), Config);
        File.WriteAllText(Path.Combine(folder, "preprocessor_config.json"), Preprocessor);
        using var generator = new torch.Generator((ulong)seed);
        var weights = Shapes().ToDictionary(shape => shape.Name,
            shape => torch.randn(shape.Shape, dtype: torch.float32, generator: generator).Times(.5));
        SafetensorsWriter.Write(Path.Combine(folder, "model.safetensors"), weights);
        return weights;
    }

    /// <summary>The names and shapes of all tensors.</summary>
    public static IEnumerable<(string Name, long[] Shape)> Shapes() =>
    [
        ("logit_scale", []), ("text_projection.weight", [Projection, TextWidth]), ("visual_projection.weight", [Projection, VisionWidth]),
        ("text_model.embeddings.token_embedding.weight", [Vocabulary, TextWidth]),
        ("text_model.embeddings.position_embedding.weight", [Positions, TextWidth]),
        ("vision_model.embeddings.class_embedding", [VisionWidth]),
        ("vision_model.embeddings.patch_embedding.weight", [VisionWidth, 3, Patch, Patch]),
        ("vision_model.embeddings.position_embedding.weight", [5, VisionWidth]),
        .. Norm("text_model.final_layer_norm", TextWidth), .. Norm(
            "vision_model.pre_layrnorm", VisionWidth), .. Norm("vision_model.post_layernorm", VisionWidth),
        .. Enumerable.Range(0, Layers)
            .SelectMany(i =>
                Layer($"text_model.encoder.layers.{i}", TextWidth).Concat(Layer($"vision_model.encoder.layers.{i}", VisionWidth))),
    ];

    private static IEnumerable<(string, long[])> Layer(string path, long width) =>
    [
        .. Norm($"{path}.layer_norm1", width), .. Norm($"{path}.layer_norm2", width),
        .. new[] { "q_proj", "k_proj", "v_proj", "out_proj" }.SelectMany(name => Linear($"{path}.self_attn.{name}", width, width)),
        .. Linear($"{path}.mlp.fc1", Inner, width), .. Linear($"{path}.mlp.fc2", width, Inner),
    ];

    private static (string, long[])[] Norm(string path, long width) => [($"{path}.weight", [width]), ($"{path}.bias", [width])];

    private static (string, long[])[] Linear(string path, long rows, long columns) =>
        [($"{path}.weight", [rows, columns]), ($"{path}.bias", [rows])];
}
