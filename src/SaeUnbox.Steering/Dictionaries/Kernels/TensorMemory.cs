using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Steering;

internal static unsafe class TensorMemory
{
    /// <summary>The address of a contiguous float32 CPU tensor; valid while the caller keeps the tensor alive.</summary>
    public static float* Floats(Tensor tensor)
    {
        if (tensor.device_type != DeviceType.CPU || tensor.dtype != ScalarType.Float32 || !tensor.is_contiguous())
            throw new ArgumentException($"A contiguous float32 tensor on the CPU is needed, not {tensor.dtype} on {tensor.device}.");
        if (tensor.numel() == 0)
            return null;
        // A span cannot be longer than an int, but only its address is needed.
        using var first = tensor.view(-1).narrow(0, 0, 1);
        return (float*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(first.bytes));
    }
}
