using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>Helpers for kernels that read and write tensor memory directly. They record no gradients.</summary>
internal static unsafe class CpuKernel
{
    private const int MostParts = 64;

    // With fewer elements, starting threads takes longer than the work.
    private const long MinParallelElements = 1 << 16;

    /// <summary>Whether the tensor is float32 or bfloat16 on a CPU with 512-bit vectors, and no gradients are recorded.</summary>
    public static bool Supports(Tensor x) =>
        Vector512.IsHardwareAccelerated && !is_grad_enabled() && x.device_type == DeviceType.CPU
        && x.dtype is ScalarType.Float32 or ScalarType.BFloat16;

    /// <summary>Address of a contiguous, non-empty tensor. It is valid as long as the caller keeps the tensor alive.</summary>
    public static void* Address(Tensor tensor)
    {
        using var flat = tensor.view(-1);
        using var first = flat.narrow(0, 0, 1);
        return Unsafe.AsPointer(ref MemoryMarshal.GetReference(first.bytes));
    }

    /// <summary>Runs <paramref name="body"/> for 0 … count - 1, in parallel on as many threads as libtorch uses.</summary>
    /// <param name="parallel">False runs everything on the calling thread, which is faster for small work.</param>
    public static void For(int count, bool parallel, Action<int> body)
    {
        var threads = parallel ? Math.Min(Math.Min(get_num_threads(), Environment.ProcessorCount), count) : 1;
        if (threads > 1)
        {
            Parallel.For(0, count, new ParallelOptions { MaxDegreeOfParallelism = threads }, body);
            return;
        }

        for (var i = 0; i < count; i++)
            body(i);
    }

    /// <summary>Splits rows among threads: the body gets the first row of a part, and the first one behind it.</summary>
    /// <param name="width">Elements of a row.</param>
    public static void Rows(long count, long width, Action<long, long> body)
    {
        var parts = (int)Math.Min(count, MostParts);
        For(parts, count * width >= MinParallelElements, part => body(count * part / parts, count * (part + 1) / parts));
    }
}

/// <summary>What this machine's processor can do, from CPUID leaf 7 (Intel 64 manual). All of it needs 512-bit registers.</summary>
public static class Processor
{
    /// <summary>Fast products of bfloat16 numbers: AVX512-BF16 or AMX-BF16.</summary>
    public static bool HasBf16 => Avx512F.IsSupported
        && (((X86Base.CpuId(7, 1).Eax >> 5) & 1) != 0 || ((X86Base.CpuId(7, 0).Edx >> 22) & 1) != 0);

    /// <summary>Fast products of int8 numbers: AVX512-VNNI.</summary>
    public static bool HasInt8 => Avx512F.IsSupported && ((X86Base.CpuId(7, 0).Ecx >> 11) & 1) != 0;
}
