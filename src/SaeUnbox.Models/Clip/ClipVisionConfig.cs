namespace SaeUnbox.Models;

/// <summary>The vision_config of a CLIP model.</summary>
/// <param name="HiddenSize">Width of the hidden states.</param>
/// <param name="IntermediateSize">Width inside the feed-forward networks.</param>
/// <param name="Layers">Transformer layers.</param>
/// <param name="Heads">Attention heads; divides the hidden size.</param>
/// <param name="ImageSize">Side of the square picture it takes, in pixels.</param>
/// <param name="PatchSize">Side of a patch in pixels; divides the image size.</param>
/// <param name="Activation">quick_gelu or gelu.</param>
/// <param name="NormEpsilon">Epsilon of every layer norm.</param>
public sealed record ClipVisionConfig(
    int HiddenSize, int IntermediateSize, int Layers, int Heads, int ImageSize, int PatchSize, string Activation, double NormEpsilon)
{
    /// <summary>Channels of a picture.</summary>
    public const int Channels = 3;

    private const int LargestImage = 4096;

    /// <summary>Patches of a picture.</summary>
    public int Patches => ImageSize / PatchSize * (ImageSize / PatchSize);

    internal ClipLayerShape Layer => new(HiddenSize, IntermediateSize, Heads, Activation, NormEpsilon, Causal: false);

    /// <summary>Reads a configuration; absent keys take transformers' defaults, which are ViT-B/32's.</summary>
    /// <exception cref="ModelException">A key is malformed or asks for something not supported here.</exception>
    public static ClipVisionConfig From(JsonConfig json)
    {
        json.Choice("model_type", "clip_vision_model", "clip_vision_model");
        var (width, heads) = (json.Count("hidden_size", 768), json.Count("num_attention_heads", 12));
        if (width % heads != 0) throw json.Wrong("num_attention_heads", $"a divisor of hidden_size {width}, and is {heads}");
        var (side, patch) = (json.Count("image_size", 224, most: LargestImage), json.Count("patch_size", 32));
        if (side % patch != 0) throw json.Wrong("patch_size", $"a divisor of image_size {side}, and is {patch}");
        if (json.Count("num_channels", Channels) is var channels && channels != Channels) throw json.Wrong("num_channels", $"{Channels}, and is {channels}");
        return new ClipVisionConfig(
            width,
            json.Count("intermediate_size", 3072),
            json.Count("num_hidden_layers", 12),
            heads,
            side,
            patch,
            json.Choice("hidden_act", "quick_gelu", "quick_gelu", "gelu"),
            json.Number("layer_norm_eps", 1e-5) is var epsilon and > 0 ? epsilon : throw json.Wrong("layer_norm_eps", "above 0"));
    }
}
