using System.Globalization;
using TorchSharp;

namespace SaeUnbox.Models;

/// <summary>Which devices can be computed on here.</summary>
public static class Devices
{
    /// <summary>Reads "cpu", "cpu:0", "cuda" or "cuda:N"; null where the text is something else.</summary>
    public static torch.Device? Parse(string text)
    {
        // There is one cpu: TorchSharp takes cpu:1, too, and forgets the number.
        if (text is "cpu" or "cpu:0")
            return new torch.Device(DeviceType.CPU);
        if (text == "cuda")
            return new torch.Device(DeviceType.CUDA);
        return text.StartsWith("cuda:", StringComparison.Ordinal) && int.TryParse(text.AsSpan(5), NumberStyles.None, CultureInfo.InvariantCulture, out var index)
            ? new torch.Device(DeviceType.CUDA, index)
            : null;
    }

    /// <summary>Whether <see cref="Parse"/> reads the text.</summary>
    public static bool IsDevice(string text) => Parse(text) is not null;

    /// <exception cref="ModelException">The device is not there.</exception>
    /// <exception cref="LibtorchException">libtorch cannot be loaded.</exception>
    public static torch.Device Require(torch.Device device)
    {
        Libtorch.Require();
        return Fault(device, torch.cuda.is_available() ? torch.cuda.device_count() : 0) is { } fault ? throw new ModelException(fault) : device;
    }

    /// <summary>What is wrong with a device where there are so many GPUs; null: nothing.</summary>
    internal static string? Fault(torch.Device device, int gpus) =>
        device.type == DeviceType.CPU || device.index < gpus && gpus > 0
            ? null
            : $"The device {device} is not there: this libtorch ({torch.__version__}) finds {Found(gpus)}.";

    private static string Found(int gpus) => gpus switch
    {
        0 => "0 CUDA devices; use cpu",
        1 => "1 CUDA device; use cuda:0 or cpu",
        _ => $"{gpus} CUDA devices; use one of cuda:0 to cuda:{gpus - 1}, or cpu",
    };
}
