using Microsoft.Extensions.Options;

namespace SaeUnbox.Serving;

/// <summary>Configuration section "SaeUnbox".</summary>
public sealed class ServingOptions
{
    public const string Section = "SaeUnbox";

    /// <summary>The first is the default. Empty: the embedded model.</summary>
    public IList<ServedModel> Models { get; } = [];

    /// <summary>
    /// Most work that may wait, in default pictures of each job's model. One client may have a quarter of it, and batch jobs three
    /// quarters.
    /// </summary>
    public int QueueLimit { get; set; } = 256;

    /// <summary>How long the result of a finished job stays available.</summary>
    public TimeSpan KeepResults { get; set; } = TimeSpan.FromMinutes(2);

    /// <summary>Most bytes that the results of finished jobs take together.</summary>
    public long KeepBytes { get; set; } = 256L << 20;

    /// <summary>How long a job may run. It is then stopped between two stages.</summary>
    public TimeSpan TimeLimit { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>How long running and waiting jobs may take at shutdown.</summary>
    public TimeSpan Grace { get; set; } = TimeSpan.FromSeconds(20);
}

/// <summary>One model to serve.</summary>
public sealed class ServedModel
{
    /// <summary>The name that recipes use. Null: the folder's name.</summary>
    public string? Name { get; set; }

    /// <summary>A model, SDXL or SD 1.x or 2.x: a folder in the layout of diffusers, or one file. Empty: the embedded model.</summary>
    public string Folder { get; set; } = "";

    public string? SaeFolder { get; set; }

    public string? SaeVariant { get; set; }

    /// <summary>Active features per position, for autoencoders whose files do not tell it. Null: what the files say.</summary>
    public int? SaeK { get; set; }

    /// <summary>
    /// The feature atlas. Null: the folder "atlas" in or next to the autoencoders' folder, or in the model's folder, if it exists.
    /// </summary>
    public string? AtlasFolder { get; set; }

    /// <summary>The CLIP model that the atlas was embedded with, for searches by meaning. Null: searches by words only.</summary>
    public string? ClipFolder { get; set; }

    public DtypeChoice Dtype { get; set; } = DtypeChoice.Auto;

    /// <summary>cpu, cuda or cuda:N.</summary>
    public string Device { get; set; } = "cpu";

    public Vae Vae { get; set; } = Vae.Kl;

    public string? VaeFolder { get; set; }

    /// <summary>The model that lends what a one-file model lacks, a folder or a file. Null: the file is whole.</summary>
    public string? Base { get; set; }

    /// <summary>Another tokenizer, or a folder with tokenizer and tokenizer_2. Null: the model's own.</summary>
    public string? TokenizerFolder { get; set; }

    /// <summary>Another scheduler_config.json. Null: the model's own.</summary>
    public string? SchedulerFolder { get; set; }

    /// <summary>LoRAs to merge into the weights, in this order, each FILE or FILE:SCALE.</summary>
    public IList<string> Loras { get; } = [];

    public int? Threads { get; set; }

    /// <summary>
    /// Folder in which the converted weights are kept, so that a later start, or another process, maps them into memory. It is made if it
    /// is missing. Null or "off": none.
    /// </summary>
    public string? Cache { get; set; }

    public static ServedModel Embedded => new()
    {
        Name = EmbeddedModel.Name,
        Folder = EmbeddedModel.ModelFolder,
        SaeFolder = EmbeddedModel.SaeFolder,
        AtlasFolder = EmbeddedModel.AtlasFolder,
    };

    /// <summary>If no folder is set, uses the embedded model, and its own name, autoencoders and atlas unless those are set.</summary>
    internal void FillIn()
    {
        if (Folder.Length > 0)
            return;
        var embedded = Embedded;
        (Folder, Name, SaeFolder, AtlasFolder) =
            (embedded.Folder, Name ?? embedded.Name, SaeFolder ?? embedded.SaeFolder, AtlasFolder ?? embedded.AtlasFolder);
    }

    internal ModelOptions ToModelOptions() => new ModelOptions
    {
        Folder = Folder,
        SaeFolder = SaeFolder,
        SaeVariant = SaeVariant,
        SaeK = SaeK,
        Name = Name,
        Vae = Vae,
        VaeFolder = VaeFolder,
        BasePath = Base,
        TokenizerFolder = TokenizerFolder,
        SchedulerFolder = SchedulerFolder,
        Loras = [.. Loras.Select(LoraFile.Parse)],
        Threads = Threads,
        CacheFolder = ModelOptions.ParseCache(Cache),
    }.On(Device, Dtype);
}

/// <summary>Reports all mistakes at once.</summary>
/// <param name="needsModels">False if models need no folder here, because workers load them.</param>
internal sealed class ServingOptionsValidator(bool needsModels = true) : IValidateOptions<ServingOptions>
{
    private const int MostWaiting = 100_000;

    public ValidateOptionsResult Validate(string? name, ServingOptions options)
    {
        var mistakes = Mistakes(options).ToArray();
        return mistakes.Length == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(mistakes);
    }

    private IEnumerable<string> Mistakes(ServingOptions options)
    {
        const string section = ServingOptions.Section;
        if (options.QueueLimit is < 1 or > MostWaiting)
            yield return $"{section}:QueueLimit is {options.QueueLimit}; use 1 to {MostWaiting}.";
        if (options.KeepResults < TimeSpan.Zero || options.KeepResults > TimeSpan.FromDays(1))
            yield return $"{section}:KeepResults is {options.KeepResults}; use 00:00:00 to 1.00:00:00.";
        if (options.KeepBytes < 0)
            yield return $"{section}:KeepBytes is {options.KeepBytes}; use 0 or more.";
        if (options.TimeLimit <= TimeSpan.Zero || options.TimeLimit > TimeSpan.FromDays(1))
            yield return $"{section}:TimeLimit is {options.TimeLimit}; use more than 00:00:00, at most 1.00:00:00.";
        if (options.Grace < TimeSpan.Zero || options.Grace > TimeSpan.FromDays(1))
            yield return $"{section}:Grace is {options.Grace}; use 00:00:00 to 1.00:00:00.";
        foreach (var (i, model) in options.Models.Index())
        {
            var path = $"{section}:Models:{i}";
            if (!Path.Exists(model.Folder) && (needsModels || model.Folder.Length > 0))
                yield return $"{path}:Folder '{model.Folder}' does not exist; name a model, a folder in the layout of diffusers "
                    + "or one file.";
            foreach (var (key, folder) in new[]
            {
                ("SaeFolder", model.SaeFolder),
                ("AtlasFolder", model.AtlasFolder),
                ("ClipFolder", model.ClipFolder),
                ("TokenizerFolder", model.TokenizerFolder),
                ("SchedulerFolder", model.SchedulerFolder)
            })
                if (folder is not null && !Directory.Exists(folder))
                    yield return $"{path}:{key} '{folder}' does not exist; name an existing folder.";
            foreach (var (key, file) in new[] { ("VaeFolder", model.VaeFolder), ("Base", model.Base) })
                if (file is not null && !Path.Exists(file))
                    yield return $"{path}:{key} '{file}' does not exist; name an existing folder or file.";
            foreach (var (n, lora) in model.Loras.Index())
                if (!File.Exists(LoraFile.Parse(lora).Path))
                    yield return $"{path}:Loras:{n} '{lora}' does not exist; name an existing file, or FILE:SCALE.";
            if (model.Loras.Count > RecipeLimits.MaxLoras)
                yield return $"{path}:Loras has {model.Loras.Count} entries; {RecipeLimits.MaxLoras} are allowed.";
            if (!Devices.IsDevice(model.Device))
                yield return $"{path}:Device is '{model.Device}'; use cpu, cuda or cuda:N.";
            if (model.Threads is < 1 or > 1024)
                yield return $"{path}:Threads is {model.Threads}; use 1 to 1024.";
        }
    }
}
