using System.Runtime.InteropServices;
using TorchSharp;

namespace SaeUnbox.Serving;

/// <summary>
/// How much of a device's memory is in use, in bytes: of a GPU by all who use it, as its driver tells; of the processor by this process, of what
/// its container or machine has.
/// </summary>
internal static partial class DeviceMemory
{
    private const string Driver = "libcuda.so.1";

    /// <summary>Null where the driver does not tell. Asked of a GPU only once it is in use: the first to ask would make a context.</summary>
    public static (long Used, long Limit)? Of(string device)
    {
        if (Devices.Parse(device) is not { type: DeviceType.CUDA } gpu)
            return (Environment.WorkingSet, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes);
        try
        {
            return OfGpu(Math.Max(0, gpu.index));
        }
        catch (Exception exception) when (exception is DllNotFoundException or EntryPointNotFoundException)
        {
            return null;
        }
    }

    // In the context that libtorch works in, the device's primary one; so it is right for a part of a GPU, too.
    private static (long Used, long Limit)? OfGpu(int index)
    {
        if (cuInit(0) != 0 || cuDeviceGet(out var gpu, index) != 0 || cuDevicePrimaryCtxRetain(out var context, gpu) != 0)
            return null;
        try
        {
            if (cuCtxPushCurrent(context) != 0)
                return null;
            var isTold = cuMemGetInfo(out var free, out var total) == 0;
            _ = cuCtxPopCurrent(out _);
            return isTold ? ((long)(total - free), (long)total) : null;
        }
        finally
        {
            _ = cuDevicePrimaryCtxRelease(gpu);
        }
    }

    [LibraryImport(Driver)]
    private static partial int cuInit(uint flags);

    [LibraryImport(Driver)]
    private static partial int cuDeviceGet(out int device, int ordinal);

    [LibraryImport(Driver)]
    private static partial int cuDevicePrimaryCtxRetain(out nint context, int device);

    [LibraryImport(Driver, EntryPoint = "cuDevicePrimaryCtxRelease_v2")]
    private static partial int cuDevicePrimaryCtxRelease(int device);

    [LibraryImport(Driver, EntryPoint = "cuCtxPushCurrent_v2")]
    private static partial int cuCtxPushCurrent(nint context);

    [LibraryImport(Driver, EntryPoint = "cuCtxPopCurrent_v2")]
    private static partial int cuCtxPopCurrent(out nint context);

    [LibraryImport(Driver, EntryPoint = "cuMemGetInfo_v2")]
    private static partial int cuMemGetInfo(out nuint free, out nuint total);
}
