using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>Both tokenizers and text encoders of an SDXL pipeline.</summary>
public sealed class PromptEncoder : IDisposable
{
    private readonly (ClipTextEncoder Module, Weights Weights) _first, _second;

    /// <summary>Takes the encoders' weights over: they are disposed with this.</summary>
    /// <exception cref="ModelException">A tokenizer gives ids that its encoder does not know, or the prompts' lengths differ.</exception>
    public PromptEncoder(
        (ClipTokenizer First, ClipTokenizer Second) tokenizers,
        (ClipTextEncoder Module, Weights Weights) first,
        (ClipTextEncoder Module, Weights Weights) second)
    {
        Check("tokenizer", tokenizers.First, first.Module.Config);
        Check("tokenizer_2", tokenizers.Second, second.Module.Config);
        if (tokenizers.First.MaxLength != tokenizers.Second.MaxLength)
        {
            throw new ModelException("model_max_length of tokenizer and tokenizer_2 must be the same, and is "
                + $"{tokenizers.First.MaxLength} and {tokenizers.Second.MaxLength}.");
        }
        Tokenizers = tokenizers;
        (_first, _second) = (first, second);
    }

    public (ClipTokenizer First, ClipTokenizer Second) Tokenizers { get; }

    /// <summary>Tokens of a prompt, padding included.</summary>
    public int Length => Tokenizers.First.MaxLength;

    /// <summary>Width of the hidden states: the U-Net's cross_attention_dim.</summary>
    public int HiddenSize => _first.Module.Config.HiddenSize + _second.Module.Config.HiddenSize;

    /// <summary>Width of the pooled state.</summary>
    public int PooledSize => _second.Module.PooledSize;

    /// <summary>Loads tokenizer, tokenizer_2, text_encoder and text_encoder_2 of a pipeline's folder.</summary>
    /// <exception cref="ModelException">A folder or a configuration cannot be used.</exception>
    /// <exception cref="CheckpointException">Weights cannot be used.</exception>
    public static PromptEncoder Load(string folder, Precision precision, TextCleaning cleaning = TextCleaning.Ftfy)
    {
        var tokenizers = (Tokenizer(folder, "tokenizer", cleaning), Tokenizer(folder, "tokenizer_2", cleaning));
        var first = Encoder(folder, "text_encoder", precision);
        (ClipTextEncoder Module, Weights Weights)? second = null;
        try
        {
            second = Encoder(folder, "text_encoder_2", precision);
            return new PromptEncoder(tokenizers, first, second.Value);
        }
        catch
        {
            first.Weights.Dispose();
            second?.Weights.Dispose();
            throw;
        }
    }

    /// <summary>The ids of a prompt for both encoders; the first also tells what did not fit.</summary>
    public (TokenizedPrompt First, TokenizedPrompt Second) Tokenize(string prompt) =>
        (Tokenizers.First.Tokenize(prompt), Tokenizers.Second.Tokenize(prompt));

    /// <summary>Encodes a batch of prompts.</summary>
    public TextEncoding Encode(params IReadOnlyList<string> prompts)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var tokens = prompts.Select(Tokenize).ToArray();
        // SDXL takes the pooled state of the second encoder alone, so that the first one's last layer need not run.
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

    private static ClipTokenizer Tokenizer(string folder, string name, TextCleaning cleaning) =>
        ClipTokenizer.Load(Path.Combine(folder, name), cleaning);

    private static (ClipTextEncoder Module, Weights Weights) Encoder(string folder, string name, Precision precision)
    {
        var path = Path.Combine(folder, name);
        var config = ClipTextConfig.From(JsonConfig.Load(Path.Combine(path, "config.json")));
        using var checkpoint = Checkpoint.OpenFolder(path, preferHalf: precision.Storage == ScalarType.Float16);
        return precision.Load(checkpoint, weights => new ClipTextEncoder(weights, config));
    }

    private static void Check(string name, ClipTokenizer tokenizer, ClipTextConfig config)
    {
        if (tokenizer.VocabularySize > config.VocabularySize)
        {
            throw new ModelException(
                $"{name} gives ids up to {tokenizer.VocabularySize - 1}, and vocab_size of its text encoder is {config.VocabularySize}.");
        }
        if (tokenizer.MaxLength > config.MaxPositions)
        {
            throw new ModelException(
                $"{name} gives {tokenizer.MaxLength} ids (model_max_length), "
                + $"and max_position_embeddings of its text encoder is {config.MaxPositions}.");
        }
    }
}

/// <summary>Prompts as SDXL's U-Net takes them.</summary>
/// <param name="Hidden">[B, L, D1 + D2]: penultimate states of both encoders side by side.</param>
/// <param name="Pooled">[B, P]: the second encoder's projected state at the end token.</param>
public sealed record TextEncoding(Tensor Hidden, Tensor Pooled) : IDisposable
{
    public void Dispose()
    {
        Hidden.Dispose();
        Pooled.Dispose();
    }
}
