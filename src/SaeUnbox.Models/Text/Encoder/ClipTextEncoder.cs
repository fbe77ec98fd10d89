using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>The text encoder of CLIP (arXiv 2103.00020), with or without a projection of the pooled state.</summary>
public sealed class ClipTextEncoder
{
    private readonly Device _device;
    private readonly Tensor _tokens, _positions;
    private readonly ClipLayer[] _layers;
    private readonly LayerNorm _finalNorm;
    private readonly Tensor? _projection;

    /// <param name="weights">Registers the tensors here; its Load reads them.</param>
    /// <param name="config">Sizes and options of the encoder.</param>
    /// <param name="requireProjection">Whether the projection must exist. By default it is optional.</param>
    public ClipTextEncoder(Weights weights, ClipTextConfig config, bool requireProjection = false)
    {
        Config = config;
        _device = weights.Device;
        // transformers 5.6 and later write the tensors of a plain text model without the prefix.
        const string tokens = "embeddings.token_embedding.weight", prefix = "text_model";
        var isPlain = weights.Has(tokens) && !weights.Has($"{prefix}.{tokens}");
        var (model, width) = (isPlain ? weights : weights.At(prefix), config.HiddenSize);
        // Files from before 2023 also store the numbers 0, 1, 2, …
        model.Ignore("embeddings.position_ids");
        _tokens = model.Get(tokens, config.VocabularySize, width);
        _positions = model.Get("embeddings.position_embedding.weight", config.MaxPositions, width);
        _layers = [.. Enumerable.Range(0, config.Layers).Select(i => new ClipLayer(model.At($"encoder.layers.{i}"), config.Layer))];
        _finalNorm = new LayerNorm(model.At("final_layer_norm"), width, config.NormEpsilon);
        const string projection = "text_projection.weight";
        _projection = requireProjection || weights.Has(projection) ? weights.Get(projection, config.ProjectionSize, width) : null;
    }

    public ClipTextConfig Config { get; }

    /// <summary>Gets each layer's number and output, [B, L, D], and returns what takes its place; null to change nothing.</summary>
    internal Func<int, Tensor, Tensor>? AfterLayer { get; set; }

    /// <summary>Width of the pooled state.</summary>
    public int PooledSize => _projection is null ? Config.HiddenSize : Config.ProjectionSize;

    /// <summary>Runs all layers.</summary>
    /// <param name="prompts">Token ids with padding; the same number for each prompt.</param>
    /// <exception cref="ModelException">The ids do not match the model.</exception>
    public ClipTextStates Forward(IReadOnlyList<IReadOnlyList<int>> prompts)
    {
        using var scope = NewDisposeScope();
        var penultimate = Penultimate(prompts);
        var last = _finalNorm.Forward(Run(_layers.Length - 1, penultimate));
        var ends = prompts.Select((ids, row) => (long)row * ids.Count + FindEnd(ids)).ToArray();
        var pooled = last.flatten(0, 1).index_select(0, tensor(ends, device: _device));
        if (_projection is not null)
            pooled = Functional.Linear(pooled, _projection);
        return new ClipTextStates(penultimate.MoveToOuterDisposeScope(), last.MoveToOuterDisposeScope(), pooled.MoveToOuterDisposeScope());
    }

    /// <summary>Runs all layers except the last. Returns [B, L, D].</summary>
    /// <inheritdoc cref="Forward"/>
    public Tensor Penultimate(IReadOnlyList<IReadOnlyList<int>> prompts)
    {
        using var scope = NewDisposeScope();
        var length = Check(prompts);
        var ids = tensor(prompts.SelectMany(prompt => prompt.Select(id => (long)id)).ToArray(), device: _device);
        var states = _tokens.index_select(0, ids).reshape(prompts.Count, length, Config.HiddenSize).Plus(_positions.narrow(0, 0, length));
        for (var layer = 0; layer < _layers.Length - 1; layer++)
            states = states.Into(input => Run(layer, input));
        return states.MoveToOuterDisposeScope();
    }

    private Tensor Run(int layer, Tensor states)
    {
        var output = _layers[layer].Forward(states);
        return AfterLayer?.Invoke(layer, output) ?? output;
    }

    // Index of the first end token (in old configurations, of the first largest id); 0 if there is none.
    private int FindEnd(IReadOnlyList<int> ids)
    {
        var end = Config.EndId == ClipTextConfig.LegacyEndId ? ids.Max() : Config.EndId;
        return Enumerable.Range(0, ids.Count).FirstOrDefault(i => ids[i] == end);
    }

    private int Check(IReadOnlyList<IReadOnlyList<int>> prompts)
    {
        if (prompts.Count == 0 || prompts[0].Count == 0)
            throw new ModelException("A batch needs at least one prompt of at least one token.");
        var length = prompts[0].Count;
        if (prompts.Any(ids => ids.Count != length))
            throw new ModelException("All prompts of a batch must have the same number of tokens.");
        if (length > Config.MaxPositions)
            throw new ModelException(
                $"A prompt has {length} tokens, but max_position_embeddings of the text encoder is {Config.MaxPositions}.");
        foreach (var id in prompts.SelectMany(ids => ids).Where(id => id < 0 || id >= Config.VocabularySize))
            throw new ModelException(
                $"Token {id} is outside the vocabulary of the text encoder, which has {Config.VocabularySize} tokens (vocab_size).");
        return length;
    }
}

/// <summary>The config.json of a CLIP text encoder.</summary>
/// <param name="HiddenSize">Width of the hidden states.</param>
/// <param name="IntermediateSize">Width inside the feed-forward layers.</param>
/// <param name="Layers">Transformer layers.</param>
/// <param name="Heads">Attention heads; the number divides HiddenSize.</param>
/// <param name="MaxPositions">Maximum number of tokens of a prompt.</param>
/// <param name="VocabularySize">Rows of the token embedding.</param>
/// <param name="Activation">quick_gelu or gelu.</param>
/// <param name="NormEpsilon">Epsilon of each layer norm.</param>
/// <param name="ProjectionSize">Width of the pooled state after projection.</param>
/// <param name="EndId">
/// Id of the end token; the state at the first one is pooled. In old configurations it is 2, which stands for the largest id.
/// </param>
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
    /// <summary>The wrong end token of old configurations.</summary>
    public const int LegacyEndId = 2;

    internal ClipLayerShape Layer => new(HiddenSize, IntermediateSize, Heads, Activation, NormEpsilon, Causal: true);

    /// <summary>Reads a configuration. Missing keys get the defaults of transformers.</summary>
    /// <exception cref="ModelException">A value is malformed or not supported.</exception>
    public static ClipTextConfig From(JsonConfig json)
    {
        json.Choice("model_type", "clip_text_model", "clip_text_model");
        var (width, heads) = (json.Count("hidden_size", 512), json.Count("num_attention_heads", 8));
        if (width % heads != 0)
            throw json.Wrong("num_attention_heads", $"a divisor of hidden_size {width}, but is {heads}");
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
            json.Count("eos_token_id", 49407, min: 0));
    }
}

/// <summary>The result of a text encoder for B prompts of L tokens each.</summary>
/// <param name="Penultimate">Input of the last layer (hidden_states[-2]), which SDXL uses: [B, L, D].</param>
/// <param name="Last">Output of the last layer after the final norm, which SD 1.x and 2.x use: [B, L, D].</param>
/// <param name="Pooled">The last state at the end token, projected if the model has a projection (otherwise P = D): [B, P].</param>
public sealed record ClipTextStates(Tensor Penultimate, Tensor Last, Tensor Pooled);
