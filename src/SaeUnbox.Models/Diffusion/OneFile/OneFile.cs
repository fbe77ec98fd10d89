namespace SaeUnbox.Models;

/// <summary>
/// A checkpoint of Stable Diffusion in one file: whole, or single parts of it. The names are the original ones or those of diffusers. Each
/// part is a view of the file under the names that its folder would have.
/// </summary>
internal sealed class OneFile : IDisposable
{
    public const string UNet = "unet", First = "text_encoder", Second = "text_encoder_2", Autoencoder = "vae";

    // Files of torch.save often hold the weights under this key.
    private const string StateDict = "state_dict.";

    private readonly Checkpoint _checkpoint;
    private readonly Dictionary<string, CheckpointView> _parts = [];

    private OneFile(Checkpoint checkpoint)
    {
        _checkpoint = checkpoint;
        var tensors = Tensors(checkpoint);
        Model = OriginalModel.Of(tensors);
        foreach (var (part, prefixes, marks) in Layout(Model))
        {
            if (prefixes.FirstOrDefault(prefix => marks.Any(mark => tensors.ContainsKey(prefix + mark))) is { } prefix)
            {
                var own = Below(tensors, prefix);
                _parts[part] = new CheckpointView(checkpoint, Convert(Model, part, own));
                IsOriginal |= prefix.Length > 0 || own.Keys.Any(name => name.StartsWith("input_blocks.", StringComparison.Ordinal)
                    || name.StartsWith("decoder.mid.", StringComparison.Ordinal));
            }
        }

        PredictsVelocity = tensors.ContainsKey("v_pred");
        HasZeroTerminalSnr = tensors.ContainsKey("ztsnr");
    }

    public string Path => _checkpoint.Path;

    public Checkpoint Checkpoint => _checkpoint;

    /// <summary>The model that it belongs to.</summary>
    public OriginalModel Model { get; }

    /// <summary>The parts that the file has, by the names of their folders.</summary>
    public IReadOnlyDictionary<string, CheckpointView> Parts => _parts;

    /// <summary>A mark in fine-tuned models: the U-Net predicts the velocity.</summary>
    public bool PredictsVelocity { get; }

    /// <summary>A mark in fine-tuned models: the last training timestep has no signal.</summary>
    public bool HasZeroTerminalSnr { get; }

    /// <summary>Whether any part has the names of the original layout rather than those of diffusers.</summary>
    public bool IsOriginal { get; }

    /// <summary>The parts in words, such as "U-Net, 2 text encoders, VAE".</summary>
    public string Contents => string.Join(", ", ((string?[])
        [_parts.ContainsKey(UNet) ? "U-Net" : null, Encoders, _parts.ContainsKey(Autoencoder) ? "VAE" : null]).OfType<string>());

    private string? Encoders => (_parts.ContainsKey(First), _parts.ContainsKey(Second)) switch
    {
        (true, true) => "2 text encoders",
        (true, false) => Model.Encoders.Count == 1 ? "text encoder" : "text encoder 1",
        (false, true) => "text encoder 2",
        _ => null,
    };

    /// <summary>Opens a file and finds its parts.</summary>
    /// <exception cref="CheckpointException">The file is missing or broken.</exception>
    /// <exception cref="ModelException">It holds something else; the message says what.</exception>
    public static OneFile Open(string path)
    {
        var checkpoint = Checkpoint.Open(path);
        try
        {
            return Find(checkpoint) ?? throw new ModelException(ForeignFiles.Describe(path, Tensors(checkpoint)));
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    /// <summary>Finds the parts of an open checkpoint; null if it has none.</summary>
    public static OneFile? Find(Checkpoint checkpoint) =>
        ForeignFiles.IsForeign(Tensors(checkpoint)) || new OneFile(checkpoint) is not { Parts.Count: > 0 } file ? null : file;

    public void Dispose() => _checkpoint.Dispose();

    private static Dictionary<string, StoredTensor> Tensors(Checkpoint checkpoint)
    {
        var all = checkpoint.Entries.Keys.ToDictionary(name => name, checkpoint.Locate);
        var inner = Below(all, StateDict);
        return inner.Count > 0 ? inner : all;
    }

    private static Dictionary<string, StoredTensor> Below(Dictionary<string, StoredTensor> tensors, string prefix) => tensors
        .Where(pair =>
            pair.Key.StartsWith(prefix, StringComparison.Ordinal)).ToDictionary(pair => pair.Key[prefix.Length..], pair => pair.Value);

    private static IEnumerable<(string Part, string[] Prefixes, string[] Marks)> Layout(OriginalModel model) =>
    [
        (UNet, ["model.diffusion_model.", "diffusion_model.", ""], ["input_blocks.0.0.weight", "time_embedding.linear_1.weight"]),
        .. model.Encoders.Select(encoder => (encoder.Part, (string[])[encoder.Prefix], (string[])
            [encoder.IsOpenClip ? "token_embedding.weight" : "text_model.embeddings.token_embedding.weight"])),
        (Autoencoder, ["first_stage_model.", ""], ["decoder.conv_in.weight"]),
    ];

    private static IReadOnlyList<StoredTensor> Convert(
        OriginalModel model, string part, Dictionary<string, StoredTensor> tensors) => part switch
        {
            UNet => Renamed(tensors, OriginalNames.UNet(tensors.ContainsKey)),
            First or Second when model.Encoders.First(encoder => encoder.Part == part).IsOpenClip =>
                [.. OpenClip.Split(tensors).Where(tensor => !OpenClip.IsBeyond(tensor.Entry.Name, model.EncoderLayers))],
            Autoencoder => [.. Renamed(tensors, OriginalNames.Autoencoder(tensors.ContainsKey)).Select(tensor =>
                tensor.Entry.Name.Contains(".mid_block.attentions.", StringComparison.Ordinal) ? tensor.AsMatrix() : tensor)],
            _ => [.. tensors.Where(pair => !pair.Key.EndsWith(".position_ids", StringComparison.Ordinal))
                .Select(pair => pair.Value.Named(pair.Key))],
        };

    private static IReadOnlyList<StoredTensor> Renamed(Dictionary<string, StoredTensor> tensors, NameMap names) =>
        [.. tensors.Select(pair => pair.Value.Named(names.ToFolder(pair.Key)))];
}

/// <summary>The text encoder of OpenCLIP in the form that transformers has.</summary>
internal static class OpenClip
{
    public const string FusedWeight = "attn.in_proj_weight", FusedBias = "attn.in_proj_bias";

    public static readonly string[] Projections = ["q_proj", "k_proj", "v_proj"];

    // The scale of the contrastive loss, the causal mask, and the image encoder have no use in making images.
    private static bool IsUnused(string name) =>
        name is "logit_scale" or "attn_mask" || name.StartsWith("visual.", StringComparison.Ordinal);

    /// <summary>
    /// Whether a tensor lies behind the layers that a model uses: SD 2.x takes the states before the last layer, and diffusers leaves that
    /// layer and the projection out.
    /// </summary>
    public static bool IsBeyond(string name, int? layers)
    {
        const string layer = "text_model.encoder.layers.";
        return layers is { } used && (name == "text_projection.weight" || name.StartsWith($"{layer}{used}.", StringComparison.Ordinal));
    }

    /// <summary>Renames the tensors, splits queries, keys and values, and transposes the projection.</summary>
    public static IEnumerable<StoredTensor> Split(Dictionary<string, StoredTensor> tensors)
    {
        var names = OriginalNames.TextEncoder(tensors.ContainsKey);
        foreach (var (name, stored) in tensors.Where(pair => !IsUnused(pair.Key)))
        {
            var fused = name.EndsWith(FusedWeight, StringComparison.Ordinal) ? FusedWeight
                : name.EndsWith(FusedBias, StringComparison.Ordinal) ? FusedBias : null;
            if (fused is not null && stored.Entry.Shape is [var rows, ..] && rows % Projections.Length == 0)
            {
                var attention = names.ToFolder(name[..^(fused.Length - "attn".Length)]);
                var kind = fused == FusedWeight ? "weight" : "bias";
                for (var i = 0; i < Projections.Length; i++)
                    yield return stored.Rows(i * rows / Projections.Length, rows / Projections.Length)
                        .Named($"{attention}.{Projections[i]}.{kind}");
            }
            else
            {
                var renamed = stored.Named(names.ToFolder(name));
                yield return name == "text_projection" && stored.Entry.Shape.Length == 2 ? renamed.Transposed() : renamed;
            }
        }
    }
}

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
