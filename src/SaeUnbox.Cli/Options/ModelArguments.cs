using System.CommandLine;
using SaeUnbox.Contracts;
using SaeUnbox.Inference;
using TorchSharp;

namespace SaeUnbox.Cli.Options;

/// <summary>Which model, on what, in which numbers.</summary>
internal sealed class ModelArguments
{
    private readonly Option<string> model = new("--model") { Description = "Folder of an SDXL pipeline in diffusers' layout.", HelpName = "DIR", Required = true };
    private readonly Option<string?> saes = new("--saes") { Description = "Folder of sparse autoencoders as published.", HelpName = "DIR" };
    private readonly Option<string?> dtype = new("--dtype") { Description = "Number format: fp32 (default), bf16, fp16." };
    private readonly Option<string> device = new("--device") { Description = "cpu (default), cuda or cuda:N.", DefaultValueFactory = _ => "cpu" };
    private readonly Option<string?> vae = new("--vae") { Description = "Decoder: kl (default) or tiny." };
    private readonly Option<string?> vaeFolder = new("--vae-folder") { Description = "Folder of the decoder, where it is not in the model's folder.", HelpName = "DIR" };
    private readonly Option<string?> scheduler = new("--scheduler") { Description = "Folder of another scheduler_config.json.", HelpName = "DIR" };
    private readonly Option<int?> threads = new("--threads") { Description = "CPU threads (default: one a core).", HelpName = "N" };

    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[model, saes, dtype, device, vae, vaeFolder, scheduler, threads]) command.Add(option);
    }

    /// <summary>The options, those that were left out taken from the recipe where it has them.</summary>
    public ModelOptions Read(ParseResult parsed, Recipe? recipe) => new()
    {
        Folder = parsed.GetRequiredValue(model),
        SaeFolder = parsed.GetValue(saes),
        Dtype = Dtype(parsed) ?? recipe?.Dtype ?? Contracts.Dtype.Fp32,
        Device = Device(parsed.GetRequiredValue(device)),
        Vae = Vae(parsed) ?? recipe?.Vae ?? Contracts.Vae.Kl,
        VaeFolder = parsed.GetValue(vaeFolder),
        SchedulerFolder = parsed.GetValue(scheduler),
        Threads = parsed.GetValue(threads) is { } count ? Threads(count) : null,
    };

    public Dtype? Dtype(ParseResult parsed) => Word.Parse<Dtype>("--dtype", parsed.GetValue(dtype));

    public Vae? Vae(ParseResult parsed) => Word.Parse<Vae>("--vae", parsed.GetValue(vae));

    public static torch.Device Device(string text)
    {
        try
        {
            return new torch.Device(text);
        }
        catch (ArgumentException)
        {
            throw new CliException($"--device {text}: no such device; use cpu, cuda or cuda:N.");
        }
    }

    public static int Threads(int count) => count is >= 1 and <= 1024 ? count : throw new CliException($"--threads {count}: use 1 to 1024.");
}
