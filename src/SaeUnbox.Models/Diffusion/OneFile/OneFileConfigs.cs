using System.Text.Json.Nodes;

namespace SaeUnbox.Models;

/// <summary>
/// Makes the configurations of a one-file checkpoint. Sizes come from the shapes of its tensors. What shapes do not tell (widths of heads,
/// groups of norms, scaling of the latents) comes from a model of the same architecture, or else is that of the published model.
/// </summary>
internal static class OneFileConfigs
{
    // Heads of all text encoders and of the U-Nets of SDXL and SD 2.x are this wide.
    private const int HeadWidth = 64;

    private static readonly JsonObject All = ReadKnown();

    /// <summary>A file of the published model's folder, such as <c>unet/config.json</c>.</summary>
    public static JsonObject Known(OriginalModel model, string file) => All[model.Name]![file]!.DeepClone().AsObject();

    /// <summary>The configuration of a part.</summary>
    /// <param name="part">The name of its folder.</param>
    /// <param name="weights">Its tensors under the names of a folder.</param>
    /// <param name="like">The configuration of a model of the same architecture; null for the published model's.</param>
    /// <exception cref="ModelException">The sizes are not those of a published model, and <paramref name="like"/> is null.</exception>
    public static JsonObject Of(OriginalModel model, string part, IReadOnlyDictionary<string, TensorEntry> weights, JsonObject? like)
    {
        var json = like?.DeepClone().AsObject() ?? Known(model, $"{part}/config.json");
        var shapes = new PartShapes(weights);
        var sizes = part switch
        {
            OneFile.UNet => UNet(shapes),
            OneFile.Autoencoder => Autoencoder(shapes),
            _ => TextEncoder(shapes),
        };
        foreach (var (key, value) in sizes)
            json[key] = value?.DeepClone();
        if (like is not null)
            return json;
        var (widths, heads) = part switch
        {
            OneFile.UNet => (shapes.Widths("down_blocks"), "attention_head_dim"),
            OneFile.Autoencoder => (shapes.Widths("encoder.down_blocks"), null),
            _ => ([shapes.Size("text_model.embeddings.token_embedding.weight", 1)], "num_attention_heads"),
        };
        if (widths.Count == 0 || widths.Any(width => width == 0 || width % HeadWidth != 0))
            throw new ModelException(
                $"The widths of the {part}, {string.Join(", ", widths)}, are not those of {model.Name}, so the file does "
                + "not tell its heads and norms; name a model folder of the same architecture as base (--base DIR).");
        if (heads is not null)
            json[heads] = part != OneFile.UNet ? JsonValue.Create(widths[0] / HeadWidth)
                : model.Heads is { } count ? JsonValue.Create(count)
                : Numbers(widths.Select(width => width / HeadWidth));
        return json;
    }

    private static JsonObject UNet(PartShapes shapes)
    {
        var levels = Enumerable.Range(0, shapes.Widths("down_blocks").Count).ToArray();
        var layers = levels.Select(level => (long)shapes.Count($"down_blocks.{level}.resnets.*.conv1.weight")).ToArray();
        var json = new JsonObject
        {
            ["in_channels"] = shapes.Size("conv_in.weight", 1),
            ["out_channels"] = shapes.Size("conv_out.weight", 0),
            ["block_out_channels"] = Numbers(shapes.Widths("down_blocks")),
            ["layers_per_block"] = layers.Distinct().Count() == 1 ? layers[0] : Numbers(layers),
            ["down_block_types"] = Texts(levels.Select(level => Attends($"down_blocks.{level}") ? "CrossAttnDownBlock2D" : "DownBlock2D")),
            ["up_block_types"] = Texts(levels.Select(level => Attends($"up_blocks.{level}") ? "CrossAttnUpBlock2D" : "UpBlock2D")),
            ["transformer_layers_per_block"] = Numbers(levels.Select(level => TransformerLayers(level, levels.Length))),
            ["cross_attention_dim"] = shapes.Size("mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight", 1),
            ["use_linear_projection"] = shapes.Axes("mid_block.attentions.0.proj_in.weight") == 2,
        };
        if (shapes.Axes("add_embedding.linear_1.weight") > 0)
            json["projection_class_embeddings_input_dim"] = shapes.Size("add_embedding.linear_1.weight", 1);
        return json;

        bool Attends(string block) => shapes.Axes($"{block}.attentions.0.norm.weight") > 0;

        // A level without transformers counts as one of a single layer, as in SDXL's own configuration.
        long TransformerLayers(int level, int count) => ((string[])[$"down_blocks.{level}", $"up_blocks.{count - 1 - level}"])
            .Where(Attends).Select(block => shapes.Count($"{block}.attentions.0.transformer_blocks.*.norm1.weight")).FirstOrDefault(1);
    }

    private static JsonObject Autoencoder(PartShapes shapes)
    {
        var widths = shapes.Widths("encoder.down_blocks");
        return new JsonObject
        {
            ["in_channels"] = shapes.Size("encoder.conv_in.weight", 1),
            ["out_channels"] = shapes.Size("decoder.conv_out.weight", 0),
            ["latent_channels"] = shapes.Size("decoder.conv_in.weight", 1),
            ["block_out_channels"] = Numbers(widths),
            ["layers_per_block"] = shapes.Count("encoder.down_blocks.0.resnets.*.conv1.weight"),
            ["down_block_types"] = Texts(Enumerable.Repeat("DownEncoderBlock2D", widths.Count)),
            ["up_block_types"] = Texts(Enumerable.Repeat("UpDecoderBlock2D", widths.Count)),
            ["mid_block_add_attention"] = shapes.Axes("decoder.mid_block.attentions.0.to_q.weight") > 0,
            ["use_quant_conv"] = shapes.Axes("quant_conv.weight") > 0,
            ["use_post_quant_conv"] = shapes.Axes("post_quant_conv.weight") > 0,
        };
    }

    private static JsonObject TextEncoder(PartShapes shapes)
    {
        var json = new JsonObject
        {
            ["hidden_size"] = shapes.Size("text_model.embeddings.token_embedding.weight", 1),
            ["intermediate_size"] = shapes.Size("text_model.encoder.layers.0.mlp.fc1.weight", 0),
            ["num_hidden_layers"] = shapes.Count("text_model.encoder.layers.*.layer_norm1.weight"),
            ["max_position_embeddings"] = shapes.Size("text_model.embeddings.position_embedding.weight", 0),
            ["vocab_size"] = shapes.Size("text_model.embeddings.token_embedding.weight", 0),
        };
        if (shapes.Axes("text_projection.weight") > 0)
            json["projection_dim"] = shapes.Size("text_projection.weight", 0);
        return json;
    }

    private static JsonArray Numbers(IEnumerable<long> numbers) => new([.. numbers.Select(number => (JsonNode)number)]);

    private static JsonArray Texts(IEnumerable<string> texts) => new([.. texts.Select(text => (JsonNode)text)]);

    private static JsonObject ReadKnown()
    {
        using var stream = typeof(OneFileConfigs).Assembly.GetManifestResourceStream("known.json")
            ?? throw new InvalidOperationException("The resource known.json is missing.");
        return JsonNode.Parse(stream)!.AsObject();
    }
}

/// <summary>Answers questions about the shapes of a part's tensors.</summary>
internal sealed class PartShapes(IReadOnlyDictionary<string, TensorEntry> entries)
{
    /// <summary>The size of an axis; 0 if there is no such tensor or axis.</summary>
    public long Size(string name, int axis) => entries.TryGetValue(name, out var entry) ? entry.Shape.ElementAtOrDefault(axis) : 0;

    /// <summary>Number of axes; 0 if there is no such tensor.</summary>
    public int Axes(string name) => entries.TryGetValue(name, out var entry) ? entry.Shape.Length : 0;

    /// <summary>How many tensors there are in a row, with * counted from 0.</summary>
    public long Count(string pattern) =>
        OriginalNames.Count(i => entries.ContainsKey(pattern.Replace("*", $"{i}", StringComparison.Ordinal)));

    /// <summary>Output channels of each level.</summary>
    public IReadOnlyList<long> Widths(string blocks) =>
    [
        .. Enumerable.Range(0, (int)Count($"{blocks}.*.resnets.0.conv2.weight"))
            .Select(level => Size($"{blocks}.{level}.resnets.0.conv2.weight", 0)),
    ];
}
