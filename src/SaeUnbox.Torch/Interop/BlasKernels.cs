using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace TorchSharp.Interop;

/// <summary>
/// Names OpenBLAS the kernels this processor can run, before the library is loaded: an OpenBLAS older than the processor does not know
/// it and takes kernels without AVX, at a seventh of the speed.
/// </summary>
internal static partial class BlasKernels
{
    private const string Variable = "OPENBLAS_CORETYPE";

    public static void Choose()
    {
        // The C library's environment is what OpenBLAS reads; .NET keeps a copy of its own.
        if (OperatingSystem.IsLinux() && string.IsNullOrEmpty(Environment.GetEnvironmentVariable(Variable)) && Best is { } best)
            _ = setenv(Variable, best, 1);
    }

    private static string? Best => Avx512DQ.VL.IsSupported && Avx512BW.VL.IsSupported ? "SkylakeX" : Avx2.IsSupported && Fma.IsSupported ? "Haswell" : null;

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int setenv(string name, string value, int overwrite);
}
