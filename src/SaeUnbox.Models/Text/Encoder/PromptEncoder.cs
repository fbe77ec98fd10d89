using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>The two tokenizers and text encoders of an SDXL pipeline.</summary>
public sealed class PromptEncoder : IDisposable
{
    private readonly (ClipTextEncoder Module, Weights Weights) _first, _second;

    /// <summary>Takes ownership of the weights.</summary>
    /// <exception cref="ModelException">A tokenizer does not match its encoder, or the prompt lengths of the tokenizers differ.</exception>
    public PromptEncoder(
        (ClipTokenizer First, ClipTokenizer Second) tokenizers,
        (ClipTextEncoder Module, Weights Weights) first,
        (ClipTextEncoder Module, Weights Weights) second)
    {
        Check("tokenizer", tokenizers.First, first.Module.Config);
        Check("tokenizer_2", tokenizers.Second, second.Module.Config);
        if (tokenizers.First.MaxLength != tokenizers.Second.MaxLength)
            throw new ModelException("tokenizer and tokenizer_2 must have the same model_max_length, "
                + $"but have {tokenizers.First.MaxLength} and {tokenizers.Second.MaxLength}.");
        Tokenizers = tokenizers;
        (_first, _second) = (first, second);
    }

    public (ClipTokenizer First, ClipTokenizer Second) Tokenizers { get; }

    /// <summary>Number of tokens of a prompt, including padding.</summary>
    public int Length => Tokenizers.First.MaxLength;

    /// <summary>Width of the text states; equals cross_attention_dim of the U-Net.</summary>
    public int HiddenSize => _first.Module.Config.HiddenSize + _second.Module.Config.HiddenSize;

    /// <summary>Width of the pooled state.</summary>
    public int PooledSize => _second.Module.PooledSize;

    /// <summary>Loads tokenizer, tokenizer_2, text_encoder and text_encoder_2 from the folder of a pipeline.</summary>
    /// <exception cref="ModelException">A folder or a configuration is not usable.</exception>
    /// <exception cref="CheckpointException">Weights are not usable.</exception>
    public static PromptEncoder Load(string folder, Precision precision, TextCleaning cleaning = TextCleaning.Ftfy)
    {
        using var model = new ModelFolder(folder);
        return Load(model, precision, cleaning);
    }

    internal static PromptEncoder Load(IModelParts model, Precision precision, TextCleaning cleaning = TextCleaning.Ftfy)
    {
        var tokenizers = (model.Tokenizer("tokenizer", cleaning), model.Tokenizer("tokenizer_2", cleaning));
        var first = Encoder(model, "text_encoder", precision);
        (ClipTextEncoder Module, Weights Weights)? second = null;
        try
        {
            second = Encoder(model, "text_encoder_2", precision);
            return new PromptEncoder(tokenizers, first, second.Value);
        }
        catch
        {
            first.Weights.Dispose();
            second?.Weights.Dispose();
            throw;
        }
    }

    /// <summary>Tokenizes a prompt for both encoders.</summary>
    public (TokenizedPrompt First, TokenizedPrompt Second) Tokenize(string prompt) =>
        (Tokenizers.First.Tokenize(prompt), Tokenizers.Second.Tokenize(prompt));

    /// <summary>Encodes a batch of prompts.</summary>
    public TextEncoding Encode(params IReadOnlyList<string> prompts)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var tokens = prompts.Select(Tokenize).ToArray();
        // SDXL uses only the second encoder's pooled state, so the last layer of the first encoder need not run.
        var first = _first.Module.Penultimate([.. tokens.Select(t => t.First.Ids)]);
        var second = _second.Module.Forward([.. tokens.Select(t => t.Second.Ids)]);
        var hidden = cat([first, second.Penultimate], -1);
        return new TextEncoding(hidden.MoveToOuterDisposeScope(), second.Pooled.MoveToOuterDisposeScope());
    }

    public void Dispose()
    {
        _first.Weights.Dispose();
        _second.Weights.Dispose();
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
/// <param name="Hidden">Penultimate states of both encoders side by side: [B, L, D1 + D2].</param>
/// <param name="Pooled">Projected state of the second encoder at the end token: [B, P].</param>
public sealed record TextEncoding(Tensor Hidden, Tensor Pooled) : IDisposable
{
    public void Dispose()
    {
        Hidden.Dispose();
        Pooled.Dispose();
    }
}
