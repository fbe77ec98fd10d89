using System.Runtime.Intrinsics.X86;

namespace SaeUnbox.Models;

/// <summary>What this machine's processor can do, from CPUID leaf 7 (Intel 64 manual). All of it needs 512-bit registers.</summary>
public static class Processor
{
    /// <summary>Fast products of bfloat16 numbers: AVX512-BF16 or AMX-BF16.</summary>
    public static bool HasBf16 => Avx512F.IsSupported
        && (((X86Base.CpuId(7, 1).Eax >> 5) & 1) != 0 || ((X86Base.CpuId(7, 0).Edx >> 22) & 1) != 0);

    /// <summary>Fast products of int8 numbers: AVX512-VNNI.</summary>
    public static bool HasInt8 => Avx512F.IsSupported && ((X86Base.CpuId(7, 0).Ecx >> 11) & 1) != 0;
}
