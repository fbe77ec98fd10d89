using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace TorchSharp.Interop;

/// <summary>What the native libraries are told before they are loaded, where the user's environment does not say it.</summary>
internal static partial class NativeEnvironment
{
    public static void Prepare()
    {
        // The C library's environment is what they read; .NET keeps a copy of its own.
        if (!OperatingSystem.IsLinux())
            return;
        // An OpenBLAS older than the processor does not know it and takes kernels without AVX, at a seventh of the speed.
        if (BlasKernels is { } kernels)
            Set("OPENBLAS_CORETYPE", kernels);
        // Threads that spin at a barrier keep the one they wait for from running as soon as anything else wants the cores.
        Set("OMP_WAIT_POLICY", "PASSIVE");
        KeepMemory();
    }

    /// <summary>
    /// Has the C library keep what tensors free: it would give buffers of 128 KiB and more back to the kernel at once, and every operator would
    /// pay for fresh pages, which takes longer than its arithmetic.
    /// </summary>
    private static void KeepMemory()
    {
        const int trimThreshold = -1, topPad = -2, mmapThreshold = -3, arenaMax = -8; // malloc.h
        if (MallocSettings.Any(variable => !string.IsNullOrEmpty(Environment.GetEnvironmentVariable(variable))))
            return;
        try
        {
            _ = mallopt(mmapThreshold, 32 << 20); // the most it takes
            _ = mallopt(trimThreshold, 256 << 20);
            _ = mallopt(topPad, 64 << 20);
            _ = mallopt(arenaMax, 1);
        }
        catch (EntryPointNotFoundException)
        {
            // Another C library, with habits of its own.
        }
    }

    private static string[] MallocSettings => ["GLIBC_TUNABLES", "MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_ARENA_MAX"];

    private static string? BlasKernels =>
        Avx512DQ.VL.IsSupported && Avx512BW.VL.IsSupported ? "SkylakeX" : Avx2.IsSupported && Fma.IsSupported ? "Haswell" : null;

    private static void Set(string variable, string value)
    {
        if (string.IsNullOrEmpty(Environment.GetEnvironmentVariable(variable)))
            _ = setenv(variable, value, 1);
    }

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int setenv(string name, string value, int overwrite);

    [LibraryImport("libc")]
    private static partial int mallopt(int parameter, int value);
}
