using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>
/// CLIP with both towers (arXiv 2103.00020): pictures and texts as unit vectors that lie near where one tells of the other.
/// For one thread at a time.
/// </summary>
public sealed class ClipModel : IDisposable
{
    // The longer side over the shorter.
    private const int LongestPicture = 64;

    private readonly Weights _weights;
    private readonly ClipTokenizer _tokenizer;
    private readonly ClipImagePreparation _preparation;
    private readonly Precision _precision;
    private readonly Towers _towers;

    private ClipModel(Weights weights, Towers towers, ClipConfig config, ClipTokenizer tokenizer, ClipImagePreparation preparation, Precision precision)
    {
        (_weights, _towers, Config, _tokenizer, _preparation, _precision) = (weights, towers, config, tokenizer, preparation, precision);
    }

    public ClipConfig Config { get; }

    /// <summary>Width of the embeddings.</summary>
    public int Width => Config.ProjectionSize;

    /// <summary>What cosines are multiplied by before a softmax over them: e to the logit_scale.</summary>
    public double Scale => Math.Exp(_towers.LogitScale.to_type(ScalarType.Float32).item<float>());

    /// <summary>
    /// Loads a folder as openai/clip-vit-base-patch32's: config.json, preprocessor_config.json, the weights, and the tokenizer's vocab.json
    /// and merges.txt.
    /// </summary>
    /// <exception cref="ModelException">A configuration or the tokenizer is missing, cannot be used, or does not fit the rest.</exception>
    /// <exception cref="CheckpointException">The weights are broken or not exactly those of the configuration.</exception>
    public static ClipModel Load(string folder, ScalarType dtype = ScalarType.Float32, Device? device = null)
    {
        var config = ClipConfig.From(JsonConfig.Load(Path.Combine(folder, "config.json")));
        var preparation = ClipImagePreparation.From(JsonConfig.Load(Path.Combine(folder, "preprocessor_config.json")), config.Vision);
        var tokenizer = ClipTokenizer.Load(folder);
        if (tokenizer.VocabularySize > config.Text.VocabularySize || tokenizer.MaxLength > config.Text.MaxPositions)
            throw new ModelException($"{folder}: the tokenizer gives {tokenizer.MaxLength} ids up to {tokenizer.VocabularySize - 1}, "
                + $"and the text tower takes {config.Text.MaxPositions} (max_position_embeddings) below {config.Text.VocabularySize} (vocab_size).");
        var precision = Precision.For(dtype, device ?? CPU);
        using var checkpoint = Checkpoint.OpenFolder(folder, preferHalf: precision.Storage == ScalarType.Float16);
        var (towers, weights) = precision.Load(checkpoint, tree => new Towers(tree, config));
        return new ClipModel(weights, towers, config, tokenizer, preparation, precision);
    }

    /// <summary>Texts as unit vectors: [B, P] in float32 on the CPU. What does not fit into a text's tokens is left out.</summary>
    public Tensor EmbedTexts(params IReadOnlyList<string> texts)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        return Unit(_towers.Text.Forward([.. texts.Select(text => _tokenizer.Tokenize(text).Ids)]).Pooled).MoveToOuterDisposeScope();
    }

    /// <summary>A picture as a unit vector: [P] in float32 on the CPU.</summary>
    /// <param name="pixels">height x width x 3 bytes, red, green, blue.</param>
    public Tensor EmbedPicture(ReadOnlySpan<byte> pixels, int width, int height)
    {
        if (width < 1 || height < 1 || pixels.Length != (long)width * height * 3)
            throw new ModelException($"{pixels.Length} bytes make no picture of {width} x {height} pixels with 3 channels.");
        if (Math.Max(width, height) / Math.Min(width, height) > LongestPicture)
            throw new ModelException($"A picture of {width} x {height} pixels is too long: its middle is nothing of it.");
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var side = _preparation.Side;
        var prepared = _precision.Place(tensor(_preparation.Prepare(pixels, width, height)).view(1, 3, side, side));
        return Unit(_towers.Vision.Forward(prepared))[0].MoveToOuterDisposeScope();
    }

    public void Dispose() => _weights.Dispose();

    private static Tensor Unit(Tensor rows)
    {
        var exact = rows.to_type(ScalarType.Float32).cpu();
        return exact / exact.norm(1, true).AtLeast(1e-12);
    }

    private sealed class Towers(Weights weights, ClipConfig config)
    {
        public ClipTextEncoder Text { get; } = new(weights, config.Text, projects: true);

        public ClipVisionEncoder Vision { get; } = new(weights, config.Vision, config.ProjectionSize);

        public Tensor LogitScale { get; } = weights.Get("logit_scale");
    }
}
