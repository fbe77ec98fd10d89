namespace SaeUnbox.Models;

/// <summary>Names files that are no checkpoints of Stable Diffusion by their tensors, and says what to do with them.</summary>
internal static class ForeignFiles
{
    private static readonly (string What, Func<IReadOnlyDictionary<string, StoredTensor>, bool> Fits)[] Kinds =
    [
        ("a LoRA, which changes a model and is not one; name it with --lora", tensors =>
            LoraWeights.IsLora(tensors.Keys) || LoraWeights.OtherMethod(tensors.Keys) is not null),
        ("a ControlNet; models with a ControlNet are not supported", tensors =>
            Any(tensors, "control_model.", "controlnet_cond_embedding.")),
        ("a textual inversion; embeddings of words are not supported", tensors =>
            tensors.ContainsKey("emb_params")
                || Any(tensors, "string_to_param.")
                || tensors.Keys.All(name => name is "clip_l" or "clip_g")),
        ("a sparse autoencoder; name its folder with --saes", tensors => Has(tensors, "pre_bias", "latent_bias")
            || Has(tensors, "W_enc", "W_dec") || Has(tensors, "encoder.weight", "W_dec")),
        ("a checkpoint of Flux, which is not supported", tensors =>
            Any(tensors, "double_blocks.", "model.diffusion_model.double_blocks.", "single_transformer_blocks.")),
        ("a checkpoint of SD 3, which is not supported", tensors =>
            Any(tensors, "joint_blocks.", "model.diffusion_model.joint_blocks.")),
        ("the refiner of SDXL, which cannot make images by itself; use the base model", tensors =>
            !Any(tensors, "conditioner.embedders.1.") && Any(tensors, "conditioner.embedders.0.model.")
                && OriginalModel.Of(tensors) != OriginalModel.SdTurbo || IsUNetOf(tensors, 1280)),
        ("a text encoder alone; name a checkpoint that has the U-Net", tensors =>
            Any(tensors, "text_model.") && !Any(tensors, "vision_model.") || Has(tensors, "token_embedding.weight", "ln_final.weight")),
        ("a CLIP model; name it with --clip", tensors => Any(tensors, "vision_model.", "visual.")),
    ];

    /// <summary>Whether the file is of a kind that is named here.</summary>
    public static bool IsForeign(IReadOnlyDictionary<string, StoredTensor> tensors) => Kinds.Any(kind => kind.Fits(tensors));

    /// <summary>A sentence that says what a file is.</summary>
    public static string Describe(string path, IReadOnlyDictionary<string, StoredTensor> tensors) =>
        Kinds.FirstOrDefault(kind => kind.Fits(tensors)).What is { } what
            ? $"{path} is {what}."
            : $"{path} holds no part of SD or SDXL; its tensors are "
                + $"{Listing.Shorten(tensors.Keys.Order(StringComparer.Ordinal).ToList(), 5)}.";

    /// <summary>A U-Net whose text states are this wide.</summary>
    private static bool IsUNetOf(IReadOnlyDictionary<string, StoredTensor> tensors, long width) => tensors.Any(pair =>
        pair.Key.EndsWith("transformer_blocks.0.attn2.to_k.weight", StringComparison.Ordinal) && pair.Value.Entry.Shape is [_, var text]
        && text == width);

    private static bool Any(IReadOnlyDictionary<string, StoredTensor> tensors, params ReadOnlySpan<string> prefixes)
    {
        foreach (var prefix in prefixes)
        {
            if (tensors.Keys.Any(name => name.StartsWith(prefix, StringComparison.Ordinal)))
                return true;
        }

        return false;
    }

    private static bool Has(IReadOnlyDictionary<string, StoredTensor> tensors, params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
        {
            if (!tensors.ContainsKey(name))
                return false;
        }

        return true;
    }
}
