using System.Runtime.InteropServices;
using TorchSharp;

namespace SaeUnbox.Models;

/// <summary>
/// Memory use of a device in bytes. A GPU's driver reports that of all processes; for the processor it is this process's share of the
/// container's or machine's memory.
/// </summary>
public static partial class DeviceMemory
{
    private const string Driver = "libcuda.so.1";

    /// <summary>Call this for a GPU only when it is in use, because the first call creates a context.</summary>
    /// <returns>Null if the driver does not report it.</returns>
    public static (long Used, long Limit)? Read(string device)
    {
        if (Devices.Parse(device) is not { type: DeviceType.CUDA } gpu)
            return (Environment.WorkingSet, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes);
        try
        {
            return ReadGpu(Math.Max(0, gpu.index));
        }
        catch (Exception exception) when (exception is DllNotFoundException or EntryPointNotFoundException)
        {
            return null;
        }
    }

    // Uses the device's primary context, as libtorch does, so that the figures are also right for a MIG partition.
    private static (long Used, long Limit)? ReadGpu(int index)
    {
        if (cuInit(0) != 0 || cuDeviceGet(out var gpu, index) != 0 || cuDevicePrimaryCtxRetain(out var context, gpu) != 0)
            return null;
        try
        {
            if (cuCtxPushCurrent(context) != 0)
                return null;
            var isKnown = cuMemGetInfo(out var free, out var total) == 0;
            _ = cuCtxPopCurrent(out _);
            return isKnown ? ((long)(total - free), (long)total) : null;
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
