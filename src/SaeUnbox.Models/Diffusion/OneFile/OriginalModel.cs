using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>A text encoder in the original layout.</summary>
/// <param name="Part">The name of its folder.</param>
/// <param name="Prefix">What its tensors' names start with.</param>
/// <param name="IsOpenClip">It has the names of OpenCLIP rather than those of transformers.</param>
internal sealed record OriginalEncoder(string Part, string Prefix, bool IsOpenClip);

/// <summary>A model whose files in the original layout are known.</summary>
/// <param name="Name">As users know it, and under which known.json holds what shapes do not tell.</param>
/// <param name="Encoders">Its text encoders.</param>
/// <param name="PadsWithExclamation">Tokenizers that pad with "!".</param>
internal sealed record OriginalModel(string Name, IReadOnlyList<OriginalEncoder> Encoders, params IReadOnlyList<string> PadsWithExclamation)
{
    private const int TextWidthOfSd2 = 1024;

    public static OriginalModel Sdxl { get; } = new("SDXL",
        [new(OneFile.First, "conditioner.embedders.0.transformer.", false), new(OneFile.Second, "conditioner.embedders.1.model.", true)],
        "tokenizer_2");

    public static OriginalModel Sd1 { get; } =
        new("SD 1.x", [new(OneFile.First, "cond_stage_model.transformer.", false)]) { Heads = 8 };

    public static OriginalModel Sd2 { get; } =
        new("SD 2.x", [new(OneFile.First, "cond_stage_model.model.", true)], "tokenizer") { EncoderLayers = 23 };

    /// <summary>SD-Turbo has the U-Net of SD 2.x, and its file the names of SDXL's.</summary>
    public static OriginalModel SdTurbo { get; } =
        new("SD-Turbo", [new(OneFile.First, "conditioner.embedders.0.model.", true)], "tokenizer") { EncoderLayers = 23 };

    /// <summary>Heads of the U-Net at each level; null where each head is 64 wide.</summary>
    public int? Heads { get; init; }

    /// <summary>Layers of the text encoder that the model uses; null for all that there are.</summary>
    public int? EncoderLayers { get; init; }

    /// <summary>Whether files of this model exist that predict noise and others that predict velocity.</summary>
    public bool LeavesPredictionOpen => this == Sd2;

    /// <summary>The model whose tensors these are.</summary>
    public static OriginalModel Of(IReadOnlyDictionary<string, StoredTensor> tensors)
    {
        foreach (var model in (OriginalModel[])[Sd1, Sd2])
            if (tensors.Keys.Any(name => name.StartsWith(model.Encoders[0].Prefix, StringComparison.Ordinal)))
                return model;
        if (IsWide("conditioner.embedders.0.model.token_embedding.weight"))
            return SdTurbo;
        // A U-Net alone. Only that of SDXL takes sizes of the image.
        var crossed =
            tensors.Keys.FirstOrDefault(name => name.EndsWith("transformer_blocks.0.attn2.to_k.weight", StringComparison.Ordinal));
        return crossed is null || tensors.Keys.Any(name =>
            name.Contains("label_emb.", StringComparison.Ordinal) || name.Contains("add_embedding.", StringComparison.Ordinal))
            ? Sdxl : IsWide(crossed) ? Sd2 : Sd1;

        bool IsWide(string name) => tensors.TryGetValue(name, out var found) && found.Entry.Shape is [_, TextWidthOfSd2];
    }

    /// <summary>The model in whose layout a pipeline is written.</summary>
    public static OriginalModel Of(ModelFamily family, ClipTextConfig text) =>
        family == ModelFamily.Sdxl ? Sdxl : text.Activation == "quick_gelu" ? Sd1 : Sd2;
}

/// <summary>Writes the parts of a folder under the names and in the shapes of the original layout.</summary>
internal static class OriginalLayout
{
    // The scale of CLIP's contrastive loss, which readers of the layout expect: ln 100.
    private const double LogitScale = 4.605170185988092;

    public static IEnumerable<PendingTensor> Tensors(
        OriginalModel model, string part, Checkpoint weights, ModelConversion.Written written) => part switch
        {
            OneFile.UNet => UNet(weights, written),
            OneFile.Autoencoder => Autoencoder(weights, written),
            _ => model.Encoders.First(encoder => encoder.Part == part) is { IsOpenClip: true } open
                ? OpenClipEncoder(open.Prefix, weights, written)
                : ClipEncoder(model.Encoders[0].Prefix, weights, written),
        };

    /// <summary>Adds the prefix that transformers 5.6 and later leave out of a text encoder's names.</summary>
    public static ModelPart WithTextPrefix(ModelPart part)
    {
        const string mark = "embeddings.token_embedding.weight", projection = "text_projection.";
        var (_, weights) = part;
        return !weights.Entries.ContainsKey(mark) ? part : part with
        {
            Weights = new CheckpointView(weights, [.. weights.Entries.Keys.Select(name => weights.Locate(name).Named(
                name.StartsWith(projection, StringComparison.Ordinal) ? name : $"text_model.{name}"))], weights),
        };
    }

    private static IEnumerable<PendingTensor> UNet(Checkpoint weights, ModelConversion.Written written)
    {
        var names = OriginalNames.UNet(weights.Entries.ContainsKey);
        return weights.Entries.Keys.Select(name => written.Pending(weights, name, $"model.diffusion_model.{names.ToFile(name)}"));
    }

    private static IEnumerable<PendingTensor> Autoencoder(Checkpoint weights, ModelConversion.Written written)
    {
        var names = OriginalNames.Autoencoder(weights.Entries.ContainsKey);
        foreach (var (source, entry) in weights.Entries)
        {
            var name = RenamedSource.PresentAttentionName(source);
            // The original attention has 1x1 convolutions where diffusers has matrices.
            long[] shape = name.Contains(".mid_block.attentions.", StringComparison.Ordinal) && entry.Shape.Length == 2
                ? [.. entry.Shape, 1, 1]
                : entry.Shape;
            yield return written.Pending($"first_stage_model.{names.ToFile(name)}", entry, shape,
                () => weights.Read(source).reshape(shape));
        }
    }

    private static IEnumerable<PendingTensor> ClipEncoder(string prefix, Checkpoint weights, ModelConversion.Written written)
    {
        const string positions = "text_model.embeddings.position_ids";
        foreach (var name in weights.Entries.Keys.Where(name => name != positions))
            yield return written.Pending(weights, name, prefix + name);
        // The layout also stores the numbers 0, 1, 2, …
        var length = weights.Entries["text_model.embeddings.position_embedding.weight"].Shape[0];
        var numbers = new TensorEntry(positions, ElementType.I64, [1, length]);
        yield return written.Pending(prefix + positions, numbers, numbers.Shape, () => Numbers(length));
    }

    private static IEnumerable<PendingTensor> OpenClipEncoder(string prefix, Checkpoint weights, ModelConversion.Written written)
    {
        const string query = ".self_attn.q_proj.";
        var names = OriginalNames.TextEncoder(weights.Entries.ContainsKey);
        foreach (var (source, entry) in weights.Entries)
        {
            if (source.Contains(query, StringComparison.Ordinal))
            {
                string[] sources = [.. OpenClip.Projections.Select(part => source.Replace("q_proj", part, StringComparison.Ordinal))];
                var attention = names.ToFile(source[..source.IndexOf(".q_proj.", StringComparison.Ordinal)]);
                yield return written.Pending(
                    $"{prefix}{attention}.in_proj_{source[(source.LastIndexOf('.') + 1)..]}", entry,
                    [sources.Length * entry.Shape[0], .. entry.Shape[1..]], () => cat([.. sources.Select(weights.Read)], 0));
            }
            else if (source == "text_projection.weight")
                yield return written.Pending(
                    $"{prefix}text_projection", entry, [entry.Shape[1], entry.Shape[0]], () => weights.Read(source).t());
            else if (!OpenClip.Projections.Any(part => source.Contains($".self_attn.{part}.", StringComparison.Ordinal))
                && !source.EndsWith(".position_ids", StringComparison.Ordinal))
                yield return written.Pending(weights, source, prefix + names.ToFile(source));
        }

        var like = weights.Entries["text_model.final_layer_norm.bias"];
        yield return written.Pending($"{prefix}logit_scale", like, [], () => tensor(LogitScale, dtype: like.DType));
    }

    private static Tensor Numbers(long count)
    {
        using var row = tensor(Enumerable.Range(0, (int)count).Select(number => (long)number).ToArray());
        return row.view(1, count);
    }
}
