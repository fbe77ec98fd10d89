using TorchSharp;

namespace SaeUnbox.Diffusion;

/// <summary>Which devices can be computed on here.</summary>
public static class Devices
{
    /// <exception cref="ModelException">The device is not there.</exception>
    public static torch.Device Require(torch.Device device) =>
        Fault(device, torch.cuda.is_available() ? torch.cuda.device_count() : 0) is { } fault ? throw new ModelException(fault) : device;

    /// <summary>What is wrong with a device where there are so many GPUs; null: nothing.</summary>
    internal static string? Fault(torch.Device device, int gpus) =>
        device.index < (device.type == DeviceType.CUDA ? gpus : 1) && (device.type != DeviceType.CUDA || gpus > 0)
            ? null
            : $"The device {device} is not there: this libtorch ({torch.__version__}) finds {Found(gpus)}.";

    private static string Found(int gpus) => gpus switch
    {
        0 => "0 CUDA devices; use cpu",
        1 => "1 CUDA device; use cuda:0 or cpu",
        _ => $"{gpus} CUDA devices; use one of cuda:0 to cuda:{gpus - 1}, or cpu",
    };
}
