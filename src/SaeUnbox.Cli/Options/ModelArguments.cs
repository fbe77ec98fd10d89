using System.CommandLine;
using SaeUnbox.Cli.Output;
using TorchSharp;

namespace SaeUnbox.Cli.Options;

/// <summary>Which model, on what, in which numbers.</summary>
/// <param name="byDefault">The number format where neither an option nor a recipe names one: fp32 where something is measured or kept for it.</param>
internal sealed class ModelArguments(DtypeChoice byDefault)
{
    private readonly Option<string?> model = new("--model") { Description = "Folder of an SDXL pipeline in diffusers' layout (default: the model that ships, unbox-mini, with its autoencoders).", HelpName = "DIR" };
    private readonly Option<string?> saes = new("--saes") { Description = "Folder of sparse autoencoders as published.", HelpName = "DIR" };
    private readonly Option<string?> variant = new("--sae-variant") { Description = "Which of a folder's autoencoders, such as k20_hidden5120 (default: the only ones, or the demo's k10_hidden5120).", HelpName = "NAME" };
    private readonly Option<string?> dtype = new("--dtype")
    {
        Description = $"Number format: {(byDefault == DtypeChoice.Auto ? "auto (default: what the device is fastest in), fp32" : "fp32 (default), auto (what the device is fastest in)")}, bf16, fp16.",
        HelpName = "FORMAT",
    };
    private readonly DeviceArgument device = new();
    private readonly Option<string?> vae = new("--vae") { Description = "Decoder: kl (default) or tiny (vae_tiny, in the model's folder or beside it).", HelpName = "KIND" };
    private readonly Option<string?> vaeFolder = new("--vae-folder") { Description = "Folder of the decoder, where it is not in the model's folder.", HelpName = "DIR" };
    private readonly Option<string?> scheduler = new("--scheduler") { Description = "Folder of another scheduler_config.json.", HelpName = "DIR" };
    private readonly Option<int?> threads = new("--threads") { Description = "CPU threads (default: one a core; one for a small model).", HelpName = "N" };

    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[model, saes, variant, dtype]) command.Add(option);
        device.AddTo(command);
        foreach (var option in (Option[])[vae, vaeFolder, scheduler, threads]) command.Add(option);
    }

    /// <summary>The options, those that were left out taken from the recipe where it has them.</summary>
    public ModelOptions Read(ParseResult parsed, Recipe? recipe) => new()
    {
        Folder = Folder(parsed, model) ?? EmbeddedModel.ModelFolder,
        SaeFolder = Folder(parsed, saes) ?? (parsed.GetValue(model) is null ? EmbeddedModel.SaeFolder : null),
        Name = parsed.GetValue(model) is null ? EmbeddedModel.Name : null,
        SaeVariant = parsed.GetValue(variant),
        Dtype = Dtype(parsed) ?? recipe?.Dtype ?? (Choice(parsed) ?? byDefault).On(device.Read(parsed)),
        Device = device.Read(parsed),
        Vae = Vae(parsed) ?? recipe?.Vae ?? Core.Vae.Kl,
        VaeFolder = Folder(parsed, vaeFolder),
        SchedulerFolder = Folder(parsed, scheduler),
        Threads = parsed.GetValue(threads) is { } count ? Threads(count) : null,
    };

    /// <summary>The format that is asked for by name; null where it is left to the recipe or the device.</summary>
    public Dtype? Dtype(ParseResult parsed) => Choice(parsed)?.Fixed();

    private DtypeChoice? Choice(ParseResult parsed) => Word.Parse<DtypeChoice>("--dtype", parsed.GetValue(dtype));

    public Vae? Vae(ParseResult parsed) => Word.Parse<Vae>("--vae", parsed.GetValue(vae));

    public static int Threads(int count) => count is >= 1 and <= 1024 ? count : throw new CliException($"--threads {count}: use 1 to 1024.");

    // Told by the option's name; what the folder must hold, its reader knows.
    public static string? Folder(ParseResult parsed, Option<string?> option)
    {
        if (parsed.GetValue(option) is not { } path) return null;
        if (path.Length == 0) throw new CliException($"{option.Name}: a folder's name is expected.");
        if (File.Exists(path)) throw new CliException($"{option.Name} {path}: that is a file; a folder is expected.");
        return Directory.Exists(path) ? path : throw new CliException($"{option.Name} {Line.Quote(path)}: there is no such folder.");
    }
}

/// <summary>On what the commands compute that run no model.</summary>
internal sealed class ComputeArguments
{
    private readonly DeviceArgument device = new();
    private readonly Option<int?> threads = new("--threads") { Description = "CPU threads (default: one a core).", HelpName = "N" };

    public void AddTo(Command command)
    {
        device.AddTo(command);
        command.Add(threads);
    }

    /// <summary>Sets the number of threads and gives the device.</summary>
    public torch.Device Apply(ParseResult parsed)
    {
        Threads.Use(parsed.GetValue(threads) is { } count ? ModelArguments.Threads(count) : Environment.ProcessorCount);
        return device.Read(parsed);
    }
}

/// <summary><c>--device</c>: where it is computed.</summary>
internal sealed class DeviceArgument
{
    private readonly Option<string> option = new("--device") { Description = "cpu, cuda or cuda:N.", HelpName = "DEVICE", DefaultValueFactory = _ => "cpu" };

    public void AddTo(Command command) => command.Add(option);

    /// <exception cref="CliException">The text names no device.</exception>
    /// <exception cref="ModelException">The device is not there; the message tells how many are.</exception>
    public torch.Device Read(ParseResult parsed)
    {
        var text = parsed.GetRequiredValue(option);
        return Devices.Require(Devices.Parse(text) ?? throw new CliException($"--device {Line.Quote(text)}: no such device; use cpu, cuda or cuda:N."));
    }
}
