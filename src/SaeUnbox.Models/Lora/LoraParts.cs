using System.Text.Json;
using TorchSharp;

namespace SaeUnbox.Models;

/// <summary>
/// A model with LoRAs. What they add is computed when a weight is read, one weight at a time in float32, so that neither the LoRAs nor a
/// second copy of the model stay in memory.
/// </summary>
internal sealed class LoraParts : IModelParts
{
    private const int MaxListed = 3;

    private readonly IModelParts _model;
    private readonly List<LoraWeights> _loras = [];
    private readonly Dictionary<(string Part, string Tensor), Action<torch.Tensor>> _changes = [];

    /// <summary>Opens the files and finds what they change. The result owns the model.</summary>
    /// <param name="note">Called with a sentence that tells how many modules of a file are merged.</param>
    /// <exception cref="CheckpointException">A file is no LoRA, or its shapes do not fit.</exception>
    /// <exception cref="ModelException">No module of a file is in the model.</exception>
    public LoraParts(IModelParts model, IReadOnlyList<LoraFile> files, Action<string>? note)
    {
        _model = model;
        try
        {
            string[] networks = ["unet", .. model.Family.TextEncoders];
            var parts = networks.ToDictionary(part => part, part =>
            {
                using var opened = model.Open(part, preferHalf: false);
                return (IReadOnlyDictionary<string, TensorEntry>)opened.Weights.Entries.ToDictionary(StringComparer.Ordinal);
            });
            var names = new LoraNames(parts);
            foreach (var file in files)
            {
                var merged = Merge(file, names, parts);
                note?.Invoke(merged);
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public string Path => _model.Path;

    public JsonConfig Index => _model.Index;

    public JsonConfig Scheduler => _model.Scheduler;

    public string? Doubt => _model.Doubt;

    public ModelPart Open(string part, bool preferHalf)
    {
        var opened = _model.Open(part, preferHalf);
        return _changes.Keys.All(changed => changed.Part != part) ? opened : opened with
        {
            Weights = new CheckpointView(opened.Weights, [.. opened.Weights.Entries.Keys.Select(name => opened.Weights.Locate(name) with
            {
                Change = _changes.GetValueOrDefault((part, name)),
            })], opened.Weights),
        };
    }

    public ClipTokenizer Tokenizer(string part, TextCleaning cleaning) => _model.Tokenizer(part, cleaning);

    public void Dispose()
    {
        _loras.ForEach(lora => lora.Dispose());
        _model.Dispose();
    }

    private string Merge(
        LoraFile file, LoraNames names, Dictionary<string, IReadOnlyDictionary<string, TensorEntry>> parts)
    {
        var lora = LoraWeights.Open(file.Path);
        _loras.Add(lora);
        var absent = new List<string>();
        foreach (var module in lora.Modules)
        {
            if (names.Find(module.Name) is not var (part, tensor))
            {
                absent.Add(module.Name);
                continue;
            }

            lora.RequireFit(module, tensor, parts[part][tensor].Shape);
            // Even a product of zeros would change -0, and an infinite one everything.
            if (file.Scale != 0)
                _changes[(part, tensor)] = _changes.GetValueOrDefault((part, tensor)) + (weight => lora.AddTo(weight, module, file.Scale));
        }

        var merged = lora.Modules.Count - absent.Count;
        if (merged == 0)
            throw new ModelException(SourceFile.OneLine($"The LoRA '{file.Path}' changes no weight of {Path}: it names "
                + $"{Listing.Shorten(absent, MaxListed)}, and the model has, as LoRAs name them, "
                + $"{Listing.Shorten([.. names.Examples], MaxListed)}; it belongs to another model."));
        var text = $"{System.IO.Path.GetFileName(file.Path)}: {merged} of {lora.Modules.Count} modules merged";
        if (absent.Count > 0)
            text += $"; not in this model: {Listing.Shorten(absent, MaxListed)}";
        if (lora.Others.Count > 0)
            text += $"; not part of a LoRA: {Listing.Shorten(lora.Others, MaxListed)}";
        return SourceFile.OneLine(text + ".");
    }
}

/// <summary>A LoRA (arXiv 2106.09685) to merge into a model: its file, and the factor of what it adds.</summary>
/// <param name="Path">A safetensors or PyTorch file.</param>
/// <param name="Scale">Any finite number; 0 adds nothing.</param>
public sealed record LoraFile(string Path, double Scale = 1)
{
    /// <summary>A hash of the file, as models and dictionaries have one.</summary>
    /// <exception cref="CheckpointException">The file cannot be read.</exception>
    public string Fingerprint() => FileFingerprint.Compute(
        LoraSettings.ConfigOf(Path) is { } config ? [("lora", Path), ("config", config)] : [("lora", Path)]);

    /// <summary>Reads <c>FILE[:SCALE]</c>. Only a number after the last colon is a scale, so that C:\style.safetensors is a file.</summary>
    public static LoraFile Parse(string text) =>
        text.LastIndexOf(':') is var colon and > 0 && PlainNumber.TryReal(text[(colon + 1)..], out var scale)
            ? new LoraFile(text[..colon], scale)
            : new LoraFile(text);
}

/// <summary>
/// The alphas of modules that store none: from PEFT's <c>adapter_config.json</c> beside <c>adapter_model.*</c>, or from the header of a
/// safetensors file, where diffusers writes the same settings for each network.
/// </summary>
internal sealed class LoraSettings
{
    private const string HeaderKey = "lora_adapter_metadata", FileName = "adapter_model", ConfigName = "adapter_config.json";
    private readonly JsonConfig? _config;
    private readonly bool _isByNetwork;

    private LoraSettings(JsonConfig? config, bool isByNetwork) => (_config, _isByNetwork) = (config, isByNetwork);

    /// <exception cref="ModelException">The settings are not JSON.</exception>
    public static LoraSettings Of(Checkpoint checkpoint) =>
        checkpoint.Metadata.TryGetValue(HeaderKey, out var header) ? new(JsonConfig.Parse(header, checkpoint.Path), isByNetwork: true)
        : ConfigOf(checkpoint.Path) is { } path ? new(JsonConfig.Load(path), isByNetwork: false)
        : new(null, isByNetwork: false);

    /// <summary>The file of settings that belongs to a LoRA; null if there is none.</summary>
    public static string? ConfigOf(string lora) => Path.GetFileNameWithoutExtension(lora) == FileName
        && Path.Combine(Path.GetDirectoryName(Path.GetFullPath(lora))!, ConfigName) is var path && File.Exists(path) ? path : null;

    /// <summary>
    /// A module's alpha, so that alpha / rank is the factor of B A: lora_alpha, times the root of the rank with rank stabilisation (arXiv
    /// 2312.03732). Without settings it is the rank.
    /// </summary>
    /// <exception cref="ModelException">The settings give single modules alphas of their own, or are not usable.</exception>
    public double AlphaOf(string module, long rank)
    {
        if (_config is null)
            return rank;
        var network = _isByNetwork ? module.Split('.')[0] + "." : "";
        if (_config.Find($"{network}alpha_pattern") is { ValueKind: not JsonValueKind.Null } pattern
            && !(pattern.ValueKind == JsonValueKind.Object && !pattern.EnumerateObject().Any()))
            throw _config.Wrong($"{network}alpha_pattern", "empty, because alphas of single modules are not supported");
        var alpha = _config.Number($"{network}lora_alpha", rank);
        return _config.Flag($"{network}use_rslora", false) ? alpha * Math.Sqrt(rank) : alpha;
    }
}
