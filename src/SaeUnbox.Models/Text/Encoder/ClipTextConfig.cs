namespace SaeUnbox.Models;

/// <summary>The config.json of a CLIP text encoder, of any size.</summary>
/// <param name="HiddenSize">Width of the hidden states.</param>
/// <param name="IntermediateSize">Width inside the feed-forward networks.</param>
/// <param name="Layers">Transformer layers.</param>
/// <param name="Heads">Attention heads; divides the hidden size.</param>
/// <param name="MaxPositions">The most tokens a prompt may have.</param>
/// <param name="VocabularySize">Rows of the token embedding.</param>
/// <param name="Activation">quick_gelu or gelu.</param>
/// <param name="NormEpsilon">Epsilon of every layer norm.</param>
/// <param name="ProjectionSize">Width of the pooled embedding where the model projects it.</param>
/// <param name="EndId">The end token, whose first place is pooled; 2, in old configurations, means the place of the largest id.</param>
public sealed record ClipTextConfig(
    int HiddenSize,
    int IntermediateSize,
    int Layers,
    int Heads,
    int MaxPositions,
    int VocabularySize,
    string Activation,
    double NormEpsilon,
    int ProjectionSize,
    int EndId)
{
    /// <summary>The end token of configurations written before it was told apart from the largest id.</summary>
    public const int LegacyEndId = 2;

    internal ClipLayerShape Layer => new(HiddenSize, IntermediateSize, Heads, Activation, NormEpsilon, Causal: true);

    /// <summary>Reads a configuration; absent keys take transformers' defaults.</summary>
    /// <exception cref="ModelException">A key is malformed or asks for something not supported here.</exception>
    public static ClipTextConfig From(JsonConfig json)
    {
        json.Choice("model_type", "clip_text_model", "clip_text_model");
        var (width, heads) = (json.Count("hidden_size", 512), json.Count("num_attention_heads", 8));
        if (width % heads != 0) throw json.Wrong("num_attention_heads", $"a divisor of hidden_size {width}, and is {heads}");
        return new ClipTextConfig(
            width,
            json.Count("intermediate_size", 2048),
            json.Count("num_hidden_layers", 12),
            heads,
            json.Count("max_position_embeddings", 77),
            json.Count("vocab_size", 49408),
            json.Choice("hidden_act", "quick_gelu", "quick_gelu", "gelu"),
            json.Number("layer_norm_eps", 1e-5) is var epsilon and > 0 ? epsilon : throw json.Wrong("layer_norm_eps", "above 0"),
            json.Count("projection_dim", 512),
            json.Count("eos_token_id", 49407, least: 0));
    }
}
