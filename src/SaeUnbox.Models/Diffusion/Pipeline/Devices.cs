using System.Globalization;
using TorchSharp;

namespace SaeUnbox.Models;

/// <summary>Reads device names and checks that devices exist.</summary>
public static class Devices
{
    /// <summary>Reads "cpu", "cpu:0", "cuda" or "cuda:N"; null for any other text.</summary>
    public static torch.Device? Parse(string text)
    {
        // TorchSharp would also accept cpu:1 and ignore the number.
        if (text is "cpu" or "cpu:0")
            return new torch.Device(DeviceType.CPU);
        if (text == "cuda")
            return new torch.Device(DeviceType.CUDA);
        return text.StartsWith("cuda:", StringComparison.Ordinal)
            && int.TryParse(text.AsSpan(5), NumberStyles.None, CultureInfo.InvariantCulture, out var index)
            ? new torch.Device(DeviceType.CUDA, index)
            : null;
    }

    /// <summary>Whether <see cref="Parse"/> accepts the text.</summary>
    public static bool IsDevice(string text) => Parse(text) is not null;

    /// <summary>Returns the device if it exists.</summary>
    /// <exception cref="ModelException">The device does not exist.</exception>
    /// <exception cref="LibtorchException">libtorch cannot be loaded.</exception>
    public static torch.Device Require(torch.Device device)
    {
        Libtorch.Require();
        var gpus = torch.cuda.is_available() ? torch.cuda.device_count() : 0;
        return FindFault(device, gpus) is { } fault ? throw new ModelException(fault) : device;
    }

    /// <summary>What is wrong with the device on a machine with this many GPUs; null if nothing is.</summary>
    internal static string? FindFault(torch.Device device, int gpus) =>
        device.type == DeviceType.CPU || device.index < gpus && gpus > 0
            ? null
            : $"The device {device} does not exist: this libtorch ({torch.__version__}) finds {Found(gpus)}.";

    private static string Found(int gpus) => gpus switch
    {
        0 => "0 CUDA devices; use cpu",
        1 => "1 CUDA device; use cuda:0 or cpu",
        _ => $"{gpus} CUDA devices; use one of cuda:0 to cuda:{gpus - 1}, or cpu",
    };
}
