using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>
/// The tokenizers and text encoders of a pipeline. One encoder gives its last states after the final norm, as SD has it; of two, as in
/// SDXL, the states before their last layers are put side by side, and the last one gives the pooled state.
/// </summary>
public sealed class PromptEncoder : IDisposable
{
    private readonly IReadOnlyList<(ClipTextEncoder Module, Weights Weights)> _encoders;

    /// <summary>Takes ownership of the weights.</summary>
    /// <param name="tokenizers">One for each encoder.</param>
    /// <exception cref="ModelException">A tokenizer does not match its encoder, or the prompt lengths of the tokenizers differ.</exception>
    public PromptEncoder(
        IReadOnlyList<ClipTokenizer> tokenizers, IReadOnlyList<(ClipTextEncoder Module, Weights Weights)> encoders)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(tokenizers.Count, encoders.Count);
        for (var i = 0; i < tokenizers.Count; i++)
            Check(i == 0 ? "tokenizer" : $"tokenizer_{i + 1}", tokenizers[i], encoders[i].Module.Config);
        if (tokenizers.Select(tokenizer => tokenizer.MaxLength).Distinct().Count() > 1)
            throw new ModelException("The tokenizers of a model must have the same model_max_length, "
                + $"but have {string.Join(" and ", tokenizers.Select(tokenizer => tokenizer.MaxLength))}.");
        (Tokenizers, _encoders) = (tokenizers, encoders);
    }

    public IReadOnlyList<ClipTokenizer> Tokenizers { get; }

    /// <summary>Number of tokens of a prompt, including padding.</summary>
    public int Length => Tokenizers[0].MaxLength;

    /// <summary>Width of the text states; equals cross_attention_dim of the U-Net.</summary>
    public int HiddenSize => _encoders.Sum(encoder => encoder.Module.Config.HiddenSize);

    /// <summary>Width of the pooled state; 0 if there is none.</summary>
    public int PooledSize => HasPooled ? _encoders[^1].Module.PooledSize : 0;

    /// <summary>The first encoder.</summary>
    internal ClipTextEncoder First => _encoders[0].Module;

    /// <summary>How many layers of the first encoder the U-Net's text states depend on.</summary>
    internal int FirstLayers => First.Config.Layers - (HasPooled ? 1 : 0);

    private bool HasPooled => _encoders.Count > 1;

    /// <summary>Loads the tokenizers and text encoders of a model folder.</summary>
    /// <exception cref="ModelException">A folder or a configuration is not usable.</exception>
    /// <exception cref="CheckpointException">Weights are not usable.</exception>
    public static PromptEncoder Load(string folder, Precision precision, TextCleaning cleaning = TextCleaning.Ftfy)
    {
        using var model = new ModelFolder(folder);
        return Load(model, precision, cleaning);
    }

    internal static PromptEncoder Load(IModelParts model, Precision precision, TextCleaning cleaning = TextCleaning.Ftfy)
    {
        var tokenizers = model.Family.Tokenizers.Select(name => model.Tokenizer(name, cleaning)).ToList();
        var encoders = new List<(ClipTextEncoder Module, Weights Weights)>();
        try
        {
            foreach (var name in model.Family.TextEncoders)
                encoders.Add(Encoder(model, name, precision));
            return new PromptEncoder(tokenizers, encoders);
        }
        catch
        {
            encoders.ForEach(encoder => encoder.Weights.Dispose());
            throw;
        }
    }

    /// <summary>Tokenizes a prompt for each encoder.</summary>
    public IReadOnlyList<TokenizedPrompt> Tokenize(string prompt) => [.. Tokenizers.Select(tokenizer => tokenizer.Tokenize(prompt))];

    /// <summary>Encodes a batch of prompts.</summary>
    public TextEncoding Encode(params IReadOnlyList<string> prompts)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var ids = Tokenizers.Select(tokenizer => prompts.Select(prompt => tokenizer.Tokenize(prompt).Ids).ToArray()).ToArray();
        var last = _encoders[^1].Module.Forward(ids[^1]);
        if (!HasPooled)
            return new TextEncoding(last.Last.MoveToOuterDisposeScope(), null);
        // Only the last encoder's pooled state is used, so the last layers of the others need not run.
        var others = _encoders.SkipLast(1).Zip(ids, (encoder, prompt) => encoder.Module.Penultimate(prompt));
        var hidden = cat([.. others, last.Penultimate], -1);
        return new TextEncoding(hidden.MoveToOuterDisposeScope(), last.Pooled.MoveToOuterDisposeScope());
    }

    public void Dispose()
    {
        foreach (var (_, weights) in _encoders)
            weights.Dispose();
    }

    private static (ClipTextEncoder Module, Weights Weights) Encoder(IModelParts model, string name, Precision precision)
    {
        using var part = model.Open(name, precision.PrefersHalf);
        var config = ClipTextConfig.From(part.Config);
        return precision.Load(part.Weights, weights => new ClipTextEncoder(weights, config));
    }

    private static void Check(string name, ClipTokenizer tokenizer, ClipTextConfig config)
    {
        if (tokenizer.VocabularySize > config.VocabularySize)
            throw new ModelException(
                $"{name} makes ids up to {tokenizer.VocabularySize - 1}, but vocab_size of its text encoder is {config.VocabularySize}; "
                + "name the tokenizer of this model (--tokenizer DIR).");
        if (tokenizer.MaxLength > config.MaxPositions)
            throw new ModelException(
                $"{name} makes {tokenizer.MaxLength} ids (model_max_length), "
                + $"but max_position_embeddings of its text encoder is {config.MaxPositions}.");
    }
}

/// <summary>Encoded prompts.</summary>
/// <param name="Hidden">The states that the U-Net reads: [B, L, D].</param>
/// <param name="Pooled">Projected state of the second encoder at the end token: [B, P]; null with one encoder.</param>
public sealed record TextEncoding(Tensor Hidden, Tensor? Pooled) : IDisposable
{
    public void Dispose()
    {
        Hidden.Dispose();
        Pooled?.Dispose();
    }
}
