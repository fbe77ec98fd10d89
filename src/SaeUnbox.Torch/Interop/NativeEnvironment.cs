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
    }

    private static string? BlasKernels =>
        Avx512DQ.VL.IsSupported && Avx512BW.VL.IsSupported ? "SkylakeX" : Avx2.IsSupported && Fma.IsSupported ? "Haswell" : null;

    private static void Set(string variable, string value)
    {
        if (string.IsNullOrEmpty(Environment.GetEnvironmentVariable(variable)))
            _ = setenv(variable, value, 1);
    }

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int setenv(string name, string value, int overwrite);
}
