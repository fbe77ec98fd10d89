namespace SaeUnbox.Steering;

/// <summary>What to load and where.</summary>
public sealed record ModelOptions
{
    // Channels of the widest level. SDXL and SD have 1280; models that are made for trying things have a fraction of them, and gain nothing
    // by int8.
    private const int LargeWidth = 1024;

    /// <summary>A model, SDXL or SD 1.x or 2.x: a folder in diffusers' layout, or one file.</summary>
    public required string Folder { get; init; }

    /// <summary>
    /// A folder of sparse autoencoders, in any layout of docs/dictionaries.md; null for none, and then
    /// features cannot be read or painted.
    /// </summary>
    public string? SaeFolder { get; init; }

    /// <summary>Which autoencoders to load if a site has several, such as <c>k20_hidden5120</c>; null for the demo's.</summary>
    public string? SaeVariant { get; init; }

    /// <summary>Active features per position, for autoencoders whose files do not state it; null for what the files say.</summary>
    public int? SaeK { get; init; }

    /// <summary>The name in recipes; null for that of the folder or file.</summary>
    public string? Name { get; init; }

    /// <summary>The number format, unless the model's size decides (<see cref="LargeDtype"/>).</summary>
    public Dtype Dtype { get; init; } = Dtype.Fp32;

    /// <summary>The format of a model of real size, such as SDXL or SD; null if <see cref="Dtype"/> holds for all.</summary>
    public Dtype? LargeDtype { get; init; }

    public torch.Device Device { get; init; } = new(DeviceType.CPU);

    public Vae Vae { get; init; } = Vae.Kl;

    /// <summary>A folder or file with another decoder; null for the model's own.</summary>
    public string? VaeFolder { get; init; }

    /// <summary>A folder with another scheduler_config.json; null for the model's own.</summary>
    public string? SchedulerFolder { get; init; }

    /// <summary>Called with a sentence about anything unusual in the model's files that was accepted; null to ignore it.</summary>
    public Action<string>? Note { get; init; }

    /// <summary>The model that lends what a one-file model lacks; null if the file is whole.</summary>
    public string? BasePath { get; init; }

    /// <summary>A folder with another tokenizer, or with tokenizer and tokenizer_2; null for the model's own.</summary>
    public string? TokenizerFolder { get; init; }

    /// <summary>LoRAs to merge into the weights, in this order.</summary>
    public IReadOnlyList<LoraFile> Loras { get; init; } = [];

    /// <summary>
    /// Folder in which the converted weights are kept, so that a later start on a CPU maps them into memory; null to keep none.
    /// </summary>
    public string? CacheFolder { get; init; }

    /// <summary>Returns these options with the device of this name and the requested number format.</summary>
    /// <exception cref="ModelException">The text does not name a device.</exception>
    public ModelOptions On(string device, DtypeChoice dtype)
    {
        var parsed = Devices.Parse(device) ?? throw new ModelException($"'{device}' is no device; use cpu, cuda or cuda:N.");
        var large = dtype.On(parsed, isLarge: true);
        return this with { Device = parsed, Dtype = dtype.On(parsed), LargeDtype = large == dtype.On(parsed) ? null : large };
    }

    /// <summary>These options in one format, whatever the model's size.</summary>
    public ModelOptions In(Dtype dtype) => this with { Dtype = dtype, LargeDtype = null };

    /// <summary>These options in the format that the model's size decides. Of the model only its configuration is read.</summary>
    /// <exception cref="ModelException">The model's folder or configuration cannot be used.</exception>
    /// <exception cref="CheckpointException">A weights file is broken.</exception>
    public ModelOptions Sized()
    {
        if (LargeDtype is not { } large)
            return this;
        var options = Resolved();
        var width = SteerableModels.WidthOf(options.Folder, new() { BasePath = options.BasePath });
        if (width < LargeWidth)
            return In(Dtype);
        Note?.Invoke(
            $"The model runs in {Names.Of(large)}, the fastest format for its size on this processor; {Names.Of(Dtype)} is more exact.");
        return In(large);
    }

    /// <summary>Reads the name of a folder, or "off" for none, which is the default.</summary>
    public static string? ParseCache(string? text) => string.IsNullOrEmpty(text) || text.Equals("off", StringComparison.OrdinalIgnoreCase)
        ? null
        : text;

    /// <summary>These options with the hub's cache folders replaced by the snapshots that they stand for.</summary>
    /// <exception cref="ModelException">A cache folder has no snapshot, or does not say which one is meant.</exception>
    internal ModelOptions Resolved() => this with
    {
        Folder = HubCache.Resolve(Folder),
        SaeFolder = SaeFolder is { } saes ? HubCache.Resolve(saes) : null,
        VaeFolder = VaeFolder is { } vae ? HubCache.Resolve(vae) : null,
        SchedulerFolder = SchedulerFolder is { } scheduler ? HubCache.Resolve(scheduler) : null,
        BasePath = BasePath is { } lender ? HubCache.Resolve(lender) : null,
        TokenizerFolder = TokenizerFolder is { } tokenizer ? HubCache.Resolve(tokenizer) : null,
    };

    /// <summary>CPU threads per operator; null for one per core, or one in all for a model with few channels.</summary>
    public int? Threads { get; init; }
}

/// <summary>A requested number format.</summary>
public enum DtypeChoice
{
    /// <summary>
    /// The device's fastest: fp16 on a GPU; on a CPU int8 for a model of real size if it has VNNI, else bf16 if it has units for it, else
    /// fp32.
    /// </summary>
    Auto,
    Fp32,
    Bf16,
    Fp16,
    Int8,
}

public static class DtypeChoices
{
    /// <summary>The format used on a device.</summary>
    /// <param name="isLarge">Whether it is for a model of real size.</param>
    public static Dtype On(this DtypeChoice choice, torch.Device device, bool isLarge = false) =>
        choice.Fixed() ?? Fastest(device.type, Processor.HasBf16, isLarge && Processor.HasInt8);

    /// <summary>The requested format; null if the device decides.</summary>
    public static Dtype? Fixed(this DtypeChoice choice) => choice switch
    {
        DtypeChoice.Fp32 => Dtype.Fp32,
        DtypeChoice.Bf16 => Dtype.Bf16,
        DtypeChoice.Fp16 => Dtype.Fp16,
        DtypeChoice.Int8 => Dtype.Int8,
        _ => null,
    };

    internal static Dtype Fastest(DeviceType device, bool cpuHasBf16, bool cpuHasInt8) => device == DeviceType.CUDA ? Dtype.Fp16
        : cpuHasInt8 ? Dtype.Int8
        : cpuHasBf16 ? Dtype.Bf16
        : Dtype.Fp32;
}

/// <summary>Converts the recipe's number formats to libtorch's.</summary>
public static class DtypeExtensions
{
    public static ScalarType ToScalarType(this Dtype dtype) => dtype switch
    {
        Dtype.Bf16 => ScalarType.BFloat16,
        Dtype.Fp16 => ScalarType.Float16,
        Dtype.Int8 => ScalarType.Int8,
        _ => ScalarType.Float32,
    };
}

/// <summary>unbox-mini, the bundled model. Its files lie beside the program.</summary>
public static class EmbeddedModel
{
    public const string Name = "unbox-mini";

    /// <summary>Side of its pictures in pixels before it had a decoder for 512.</summary>
    public const int FormerSide = 256;

    private static string Folder => Path.Combine(AppContext.BaseDirectory, Name);

    /// <summary>An SDXL pipeline folder in diffusers' layout.</summary>
    public static string ModelFolder => Path.Combine(Folder, "model");

    /// <summary>The folder of its four sparse autoencoders.</summary>
    public static string SaeFolder => Path.Combine(Folder, "saes");

    /// <summary>The atlas of its features.</summary>
    public static string AtlasFolder => Path.Combine(Folder, "atlas");
}
