using TorchSharp;

namespace SaeUnbox.Steering;

/// <summary>A requested number format.</summary>
public enum DtypeChoice
{
    /// <summary>The device's fastest: fp16 on a GPU; on a CPU bf16 if it has units for it, else fp32.</summary>
    Auto,
    Fp32,
    Bf16,
    Fp16,
    Int8,
}

public static class DtypeChoices
{
    /// <summary>The format used on a device.</summary>
    public static Dtype On(this DtypeChoice choice, torch.Device device) => choice.Fixed() ?? Fastest(device.type, Processor.HasBf16);

    /// <summary>The requested format; null if the device decides.</summary>
    public static Dtype? Fixed(this DtypeChoice choice) => choice switch
    {
        DtypeChoice.Fp32 => Dtype.Fp32,
        DtypeChoice.Bf16 => Dtype.Bf16,
        DtypeChoice.Fp16 => Dtype.Fp16,
        DtypeChoice.Int8 => Dtype.Int8,
        _ => null,
    };

    internal static Dtype Fastest(DeviceType device, bool cpuHasBf16) =>
        device == DeviceType.CUDA ? Dtype.Fp16 : cpuHasBf16 ? Dtype.Bf16 : Dtype.Fp32;
}
