namespace SaeUnbox.Models;

/// <summary>
/// Every name that LoRA files give to a model's weights. It is made from the names of the model itself: underscores cannot be turned back
/// into dots.
/// </summary>
internal sealed class LoraNames
{
    private const string UNet = "unet", TextPrefix = "text_model.", Weight = ".weight";

    private static readonly (string Present, string Old)[] OldProjections =
    [
        (".to_q", ".processor.to_q_lora"), (".to_k", ".processor.to_k_lora"), (".to_v", ".processor.to_v_lora"),
        (".to_out.0", ".processor.to_out_lora"), (".q_proj", ".to_q_lora"), (".k_proj", ".to_k_lora"), (".v_proj", ".to_v_lora"),
        (".out_proj", ".to_out_lora"),
    ];

    private static readonly (string Prefix, string Network)[] Networks =
    [
        ("text_encoder_2", "text encoder 2"), ("lora_te2_", "text encoder 2"), ("text_encoder", "text encoder"),
        ("lora_te", "text encoder"), (TextPrefix, "text encoder"), ("", "U-Net"),
    ];

    private readonly Dictionary<string, (string Part, string Tensor)> _weights = [];

    /// <param name="parts">The tensors of the U-Net and the text encoders, by the names of their folders.</param>
    public LoraNames(IReadOnlyDictionary<string, IReadOnlyDictionary<string, TensorEntry>> parts)
    {
        foreach (var (part, tensors) in parts)
        {
            var names = part == UNet ? OriginalNames.UNet(tensors.ContainsKey) : null;
            foreach (var tensor in tensors.Keys.Where(name => name.EndsWith(Weight, StringComparison.Ordinal)))
            {
                var module = tensor[..^Weight.Length];
                foreach (var name in names is null ? OfText(part, module, isOnly: parts.Count == 2) : OfUNet(module, names.ToFile(module)))
                    _weights.TryAdd(name, (part, tensor));
            }
        }
    }

    /// <summary>The weight that a module of a LoRA changes; null if the model has none of this name.</summary>
    public (string Part, string Tensor)? Find(string module) => _weights.TryGetValue(module, out var weight) ? weight : null;

    /// <summary>Which network a module belongs to, as far as its name says.</summary>
    public static string NetworkOf(LoraModule module) => Networks.First(network =>
        module.Name.StartsWith(network.Prefix, StringComparison.Ordinal)).Network;

    /// <summary>A few names, for messages.</summary>
    public IEnumerable<string> Examples => _weights.Keys.Where(name => name.Contains("attn1.to_q", StringComparison.Ordinal)
        || name.Contains("attn1_to_q", StringComparison.Ordinal));

    private static IEnumerable<string> OfUNet(string module, string original) =>
    [
        .. WithOld($"{UNet}.{module}"), .. WithOld(module), $"diffusion_model.{original}",
        $"lora_unet_{Flat(module)}", $"lora_unet_{Flat(original)}",
    ];

    private static IEnumerable<string> OfText(string part, string module, bool isOnly)
    {
        // transformers 5.6 and later write a plain text model without the prefix.
        var (plain, full) = module.StartsWith(TextPrefix, StringComparison.Ordinal) ? (module[TextPrefix.Length..], module)
            : module == "text_projection" ? (module, module)
            : (module, TextPrefix + module);
        var number = part.Split('_') is [_, _, var last] ? last : "1";
        IEnumerable<string> names =
            [.. WithOld($"{part}.{full}"), .. WithOld($"{part}.{plain}"), $"lora_te{number}_{Flat(full)}"];
        if (number == "1")
            names = names.Append($"lora_te_{Flat(full)}");
        return isOnly ? names.Concat([full, plain]) : names;
    }

    private static IEnumerable<string> WithOld(string module)
    {
        var (present, old) = Array.Find(OldProjections, pair => module.EndsWith(pair.Present, StringComparison.Ordinal));
        return present is null ? [module] : [module, module[..^present.Length] + old];
    }

    private static string Flat(string module) => module.Replace('.', '_');
}
