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
