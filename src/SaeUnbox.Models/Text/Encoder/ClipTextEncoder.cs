using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>CLIP's text encoder (arXiv 2103.00020), with or without a projection of the pooled state.</summary>
public sealed class ClipTextEncoder
{
    private readonly Device _device;
    private readonly Tensor _tokens, _positions;
    private readonly ClipLayer[] _layers;
    private readonly LayerNorm _finalNorm;
    private readonly Tensor? _projection;

    /// <summary>Registers the weights under <paramref name="weights"/>; they are there once its Load has run.</summary>
    /// <param name="projects">Whether the projection must be there; else it is used where it is.</param>
    public ClipTextEncoder(Weights weights, ClipTextConfig config, bool projects = false)
    {
        Config = config;
        _device = weights.Device;
        var (model, width) = (weights.At("text_model"), config.HiddenSize);
        // Files of before 2023 hold the numbers from 0 on.
        model.Ignore("embeddings.position_ids");
        _tokens = model.Get("embeddings.token_embedding.weight", config.VocabularySize, width);
        _positions = model.Get("embeddings.position_embedding.weight", config.MaxPositions, width);
        _layers = [.. Enumerable.Range(0, config.Layers).Select(i => new ClipLayer(model.At($"encoder.layers.{i}"), config.Layer))];
        _finalNorm = new LayerNorm(model.At("final_layer_norm"), width, config.NormEpsilon);
        const string projection = "text_projection.weight";
        _projection = projects || weights.Has(projection) ? weights.Get(projection, config.ProjectionSize, width) : null;
    }

    public ClipTextConfig Config { get; }

    /// <summary>Width of the pooled state.</summary>
    public int PooledSize => _projection is null ? Config.HiddenSize : Config.ProjectionSize;

    /// <summary>Runs all layers.</summary>
    /// <param name="prompts">Ids of the prompts' tokens, padding included, as many for each prompt.</param>
    /// <exception cref="ModelException">The ids do not fit the model.</exception>
    public ClipTextStates Forward(IReadOnlyList<IReadOnlyList<int>> prompts)
    {
        using var scope = NewDisposeScope();
        var penultimate = Penultimate(prompts);
        var last = _finalNorm.Forward(_layers[^1].Forward(penultimate));
        var ends = prompts.Select((ids, row) => (long)row * ids.Count + EndOf(ids)).ToArray();
        var pooled = last.flatten(0, 1).index_select(0, tensor(ends, device: _device));
        if (_projection is not null) pooled = Products.Linear(pooled, _projection);
        return new ClipTextStates(penultimate.MoveToOuterDisposeScope(), last.MoveToOuterDisposeScope(), pooled.MoveToOuterDisposeScope());
    }

    /// <summary>Runs all layers but the last: [B, L, D], where nothing else is wanted.</summary>
    /// <inheritdoc cref="Forward"/>
    public Tensor Penultimate(IReadOnlyList<IReadOnlyList<int>> prompts)
    {
        using var scope = NewDisposeScope();
        var length = Check(prompts);
        var ids = tensor(prompts.SelectMany(prompt => prompt.Select(id => (long)id)).ToArray(), device: _device);
        var states = _tokens.index_select(0, ids).reshape(prompts.Count, length, Config.HiddenSize).Plus(_positions.narrow(0, 0, length));
        foreach (var layer in _layers[..^1]) states = states.Into(layer.Forward);
        return states.MoveToOuterDisposeScope();
    }

    // The first of the largest ids, or of the end tokens; where there is none, the first token.
    private int EndOf(IReadOnlyList<int> ids)
    {
        var wanted = Config.EndId == ClipTextConfig.LegacyEndId ? ids.Max() : Config.EndId;
        return Enumerable.Range(0, ids.Count).FirstOrDefault(i => ids[i] == wanted);
    }

    private int Check(IReadOnlyList<IReadOnlyList<int>> prompts)
    {
        if (prompts.Count == 0 || prompts[0].Count == 0) throw new ModelException("There must be a prompt of at least one token.");
        var length = prompts[0].Count;
        if (prompts.Any(ids => ids.Count != length)) throw new ModelException("The prompts of a batch must have as many tokens each.");
        if (length > Config.MaxPositions)
        {
            throw new ModelException($"A prompt has {length} tokens, and the text encoder's max_position_embeddings is {Config.MaxPositions}.");
        }
        foreach (var id in prompts.SelectMany(ids => ids).Where(id => id < 0 || id >= Config.VocabularySize))
        {
            throw new ModelException($"The token {id} is outside the text encoder's vocabulary of {Config.VocabularySize} (vocab_size).");
        }
        return length;
    }
}

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

/// <summary>What a text encoder makes of a batch of B prompts of L tokens each.</summary>
/// <param name="Penultimate">[B, L, D]: what the last layer takes (hidden_states[-2]); SDXL's conditioning.</param>
/// <param name="Last">[B, L, D]: what the last layer makes, after the final norm.</param>
/// <param name="Pooled">[B, P]: the last state at the end token, projected where the model has a projection (else P = D).</param>
public sealed record ClipTextStates(Tensor Penultimate, Tensor Last, Tensor Pooled);
