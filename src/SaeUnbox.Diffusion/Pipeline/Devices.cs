using TorchSharp;

namespace SaeUnbox.Diffusion;

/// <summary>Which devices can be computed on here.</summary>
public static class Devices
{
    /// <exception cref="ModelException">The device is not there.</exception>
    public static torch.Device Require(torch.Device device) =>
        Fault(device, torch.cuda.is_available() ? torch.cuda.device_count() : 0) is { } fault ? throw new ModelException(fault) : device;

    /// <summary>What is wrong with a device where there are so many GPUs; null: nothing.</summary>
    internal static string? Fault(torch.Device device, int gpus) => (device.type, gpus) switch
    {
        (not DeviceType.CUDA, _) => null,
        (_, 0) => $"The device {device} is not there: this libtorch ({torch.__version__}) finds no CUDA; use cpu.",
        _ when device.index >= gpus => $"The device {device} is not there: there are the devices {string.Join(", ", Enumerable.Range(0, gpus).Select(index => $"cuda:{index}"))}.",
        _ => null,
    };
}
