using System.CommandLine;
using SaeUnbox.Cli.Output;
using TorchSharp;

namespace SaeUnbox.Cli.Options;

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
