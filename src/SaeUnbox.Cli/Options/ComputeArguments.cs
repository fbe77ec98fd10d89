using System.CommandLine;
using TorchSharp;

namespace SaeUnbox.Cli.Options;

/// <summary>On what the commands compute that run no model.</summary>
internal sealed class ComputeArguments
{
    private readonly Option<string> device = new("--device") { Description = "cpu, cuda or cuda:N.", HelpName = "DEVICE", DefaultValueFactory = _ => "cpu" };
    private readonly Option<int?> threads = new("--threads") { Description = "CPU threads (default: one a core).", HelpName = "N" };

    public void AddTo(Command command)
    {
        command.Add(device);
        command.Add(threads);
    }

    /// <summary>Sets the number of threads and gives the device.</summary>
    public torch.Device Apply(ParseResult parsed)
    {
        torch.set_num_threads(parsed.GetValue(threads) is { } count ? ModelArguments.Threads(count) : Environment.ProcessorCount);
        var place = ModelArguments.Device(parsed.GetRequiredValue(device));
        return place.type != DeviceType.CUDA || torch.cuda.is_available()
            ? place
            : throw new CliException($"--device {place}: this libtorch ({torch.__version__}) finds no CUDA; use cpu.");
    }
}
