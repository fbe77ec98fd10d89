using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>What loops over a tensor's memory have in common. They record no gradients.</summary>
internal static unsafe class CpuKernel
{
    /// <summary>Whether such loops can take the tensor: on a CPU with 512-bit vectors, float32 or bfloat16, no gradient recorded.</summary>
    public static bool Takes(Tensor x) => Vector512.IsHardwareAccelerated && !is_grad_enabled() && x.device_type == DeviceType.CPU
        && x.dtype is ScalarType.Float32 or ScalarType.BFloat16;

    /// <summary>The address of a contiguous tensor of at least one element; valid while the caller keeps the tensor alive.</summary>
    public static void* Address(Tensor tensor)
    {
        using var first = tensor.view(-1).narrow(0, 0, 1);
        return Unsafe.AsPointer(ref MemoryMarshal.GetReference(first.bytes));
    }

    /// <summary>Runs <paramref name="body"/> for 0 … count - 1 on as many threads as libtorch's operators take.</summary>
    /// <param name="worth">Whether the whole is long enough to wake other threads.</param>
    public static void For(int count, bool worth, Action<int> body)
    {
        var threads = worth ? Math.Min(Math.Min(get_num_threads(), Environment.ProcessorCount), count) : 1;
        if (threads > 1)
        {
            Parallel.For(0, count, new ParallelOptions { MaxDegreeOfParallelism = threads }, body);
            return;
        }

        for (var i = 0; i < count; i++)
            body(i);
    }
}
