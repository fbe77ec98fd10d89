using System.Runtime.Intrinsics.X86;
using TorchSharp;

namespace SaeUnbox.Steering;

/// <summary>The number format that is asked for.</summary>
public enum DtypeChoice
{
    /// <summary>What the device is fastest in: fp16 on a GPU; on a CPU bf16 where it has units for it, else fp32.</summary>
    Auto,
    Fp32,
    Bf16,
    Fp16,
}

public static class DtypeChoices
{
    /// <summary>The format used on a device.</summary>
    public static Dtype On(this DtypeChoice choice, torch.Device device) => choice.Fixed() ?? Fastest(device.type, HasBf16);

    /// <summary>The format that is asked for; null: the choice is left to the device.</summary>
    public static Dtype? Fixed(this DtypeChoice choice) => choice switch
    {
        DtypeChoice.Fp32 => Dtype.Fp32,
        DtypeChoice.Bf16 => Dtype.Bf16,
        DtypeChoice.Fp16 => Dtype.Fp16,
        _ => null,
    };

    internal static Dtype Fastest(DeviceType device, bool cpuHasBf16) =>
        device == DeviceType.CUDA ? Dtype.Fp16 : cpuHasBf16 ? Dtype.Bf16 : Dtype.Fp32;

    // AVX512-BF16 and AMX-BF16 by their bits of leaf 7 (Intel 64 manual, CPUID); the system must keep 512-bit registers for both.
    private static bool HasBf16 => Avx512F.IsSupported
        && (((X86Base.CpuId(7, 1).Eax >> 5) & 1) != 0 || ((X86Base.CpuId(7, 0).Edx >> 22) & 1) != 0);
}
