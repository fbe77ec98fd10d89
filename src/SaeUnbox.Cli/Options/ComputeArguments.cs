using System.CommandLine;
using TorchSharp;

namespace SaeUnbox.Cli.Options;

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
