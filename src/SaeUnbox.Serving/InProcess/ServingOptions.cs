using Microsoft.Extensions.Options;
using TorchSharp;

namespace SaeUnbox.Serving;

/// <summary>What is served, and within which bounds: the section "SaeUnbox" of the configuration.</summary>
public sealed class ServingOptions
{
    public const string Section = "SaeUnbox";

    /// <summary>The models, the default first; empty for the one that ships.</summary>
    public IList<ServedModel> Models { get; } = [];

    /// <summary>Jobs that may wait.</summary>
    public int QueueLimit { get; set; } = 256;

    /// <summary>How long a finished job can still be asked for.</summary>
    public TimeSpan KeepResults { get; set; } = TimeSpan.FromMinutes(2);

    /// <summary>Most bytes that finished jobs hold together.</summary>
    public long KeepBytes { get; set; } = 256L << 20;

    /// <summary>How long running and waiting jobs may take when the process is told to stop.</summary>
    public TimeSpan Grace { get; set; } = TimeSpan.FromSeconds(20);
}

/// <summary>One model to serve.</summary>
public sealed class ServedModel
{
    /// <summary>The name recipes use; null: the folder's own.</summary>
    public string? Name { get; set; }

    /// <summary>A pipeline in diffusers' layout; empty: the model that ships.</summary>
    public string Folder { get; set; } = "";

    public string? SaeFolder { get; set; }

    public string? SaeVariant { get; set; }

    /// <summary>The atlas of its features; null: the folder "atlas" beside the autoencoders' or the model's, where there is one.</summary>
    public string? AtlasFolder { get; set; }

    /// <summary>The CLIP model that the atlas was embedded with: searches go by what pictures show, too; null: by words alone.</summary>
    public string? ClipFolder { get; set; }

    public DtypeChoice Dtype { get; set; } = DtypeChoice.Auto;

    /// <summary>cpu, cuda or cuda:N.</summary>
    public string Device { get; set; } = "cpu";

    public Vae Vae { get; set; } = Vae.Kl;

    public string? VaeFolder { get; set; }

    public int? Threads { get; set; }

    public static ServedModel Embedded => new()
    {
        Name = EmbeddedModel.Name, Folder = EmbeddedModel.ModelFolder, SaeFolder = EmbeddedModel.SaeFolder, AtlasFolder = EmbeddedModel.AtlasFolder,
    };

    /// <summary>Where no folder is named, takes the model that ships, and what belongs to it unless that is named.</summary>
    internal void FillIn()
    {
        if (Folder.Length > 0)
            return;
        var embedded = Embedded;
        (Folder, Name, SaeFolder, AtlasFolder) = (embedded.Folder, Name ?? embedded.Name, SaeFolder ?? embedded.SaeFolder, AtlasFolder ?? embedded.AtlasFolder);
    }

    internal ModelOptions ToModelOptions() => new()
    {
        Folder = Folder, SaeFolder = SaeFolder, SaeVariant = SaeVariant, Name = Name, Dtype = Dtype.On(Devices.Parse(Device)!), Device = Devices.Parse(Device)!, Vae = Vae,
        VaeFolder = VaeFolder, Threads = Threads,
    };
}

/// <summary>Lists every mistake at once.</summary>
/// <param name="needsModels">False where models need no folder: others hold them.</param>
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
        if (options.Grace < TimeSpan.Zero || options.Grace > TimeSpan.FromDays(1))
            yield return $"{section}:Grace is {options.Grace}; use 00:00:00 to 1.00:00:00.";
        foreach (var (i, model) in options.Models.Index())
        {
            var path = $"{section}:Models:{i}";
            if (!Directory.Exists(model.Folder) && (needsModels || model.Folder.Length > 0))
                yield return $"{path}:Folder '{model.Folder}' is no folder; name an SDXL pipeline in diffusers' layout.";
            foreach (var (key, folder) in new[] { ("SaeFolder", model.SaeFolder), ("AtlasFolder", model.AtlasFolder), ("ClipFolder", model.ClipFolder), ("VaeFolder", model.VaeFolder) })
                if (folder is not null && !Directory.Exists(folder))
                    yield return $"{path}:{key} '{folder}' is no folder.";
            if (Devices.Parse(model.Device) is null)
                yield return $"{path}:Device is '{model.Device}'; use cpu, cuda or cuda:N.";
            if (model.Threads is < 1 or > 1024)
                yield return $"{path}:Threads is {model.Threads}; use 1 to 1024.";
        }
    }
}
