using System.CommandLine;
using TorchSharp;

namespace SaeUnbox.Cli.Options;

/// <summary><c>--device</c>: where it is computed.</summary>
internal static class DeviceArgument
{
    public static Option<string> Create() => new("--device") { Description = "cpu, cuda or cuda:N.", HelpName = "DEVICE", DefaultValueFactory = _ => "cpu" };

    /// <exception cref="CliException">There is no such device here.</exception>
    public static torch.Device Of(ParseResult parsed, Option<string> option)
    {
        var device = ModelArguments.Device(parsed.GetRequiredValue(option));
        return device.type != DeviceType.CUDA || torch.cuda.is_available()
            ? device
            : throw new CliException($"--device {device}: this libtorch ({torch.__version__}) finds no CUDA; use cpu.");
    }
}
