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
