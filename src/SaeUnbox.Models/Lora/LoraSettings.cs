using System.Text.Json;

namespace SaeUnbox.Models;

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
