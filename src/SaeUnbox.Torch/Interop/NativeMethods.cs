using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace TorchSharp.Interop;

/// <summary>The shim's C functions; see native/shim.h. Handles are taken as such, so that a call keeps what it works on alive.</summary>
internal static unsafe partial class NativeMethods
{
    private const string Library = "saeunbox_torch";

    static NativeMethods() => NativeEnvironment.Prepare();

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int shim_operator(string name, string overload, out IntPtr handle);

    [LibraryImport(Library)]
    internal static partial int shim_call(IntPtr op, NativeArgument* arguments, int length, IntPtr* results, int capacity, out int count);

    [LibraryImport(Library)]
    internal static partial IntPtr shim_last_error();

    [LibraryImport(Library)]
    internal static partial IntPtr shim_version();

    [LibraryImport(Library)]
    internal static partial void shim_tensor_free(IntPtr tensor);

    [LibraryImport(Library)]
    internal static partial long shim_tensor_dim(TensorHandle tensor);

    [LibraryImport(Library)]
    internal static partial long shim_tensor_numel(TensorHandle tensor);

    [LibraryImport(Library)]
    internal static partial int shim_tensor_dtype(TensorHandle tensor);

    [LibraryImport(Library)]
    internal static partial long shim_tensor_element_size(TensorHandle tensor);

    [LibraryImport(Library)]
    internal static partial int shim_tensor_is_contiguous(TensorHandle tensor);

    [LibraryImport(Library)]
    internal static partial int shim_tensor_requires_grad(TensorHandle tensor);

    [LibraryImport(Library)]
    internal static partial int shim_tensor_is_leaf(TensorHandle tensor);

    [LibraryImport(Library)]
    internal static partial long shim_tensor_storage_offset(TensorHandle tensor);

    [LibraryImport(Library)]
    internal static partial void shim_tensor_device(TensorHandle tensor, out int type, out int index);

    [LibraryImport(Library)]
    internal static partial void shim_tensor_sizes(TensorHandle tensor, long* sizes);

    [LibraryImport(Library)]
    internal static partial void shim_tensor_strides(TensorHandle tensor, long* strides);

    [LibraryImport(Library)]
    internal static partial int shim_tensor_data(TensorHandle tensor, out IntPtr data);

    [LibraryImport(Library)]
    internal static partial int shim_tensor_set_requires_grad(TensorHandle tensor, int required);

    [LibraryImport(Library)]
    internal static partial int shim_tensor_grad(TensorHandle tensor, out IntPtr grad);

    [LibraryImport(Library)]
    internal static partial int shim_tensor_set_grad(TensorHandle tensor, TensorHandle grad);

    [LibraryImport(Library)]
    internal static partial int shim_tensor_alias(TensorHandle tensor, out IntPtr alias);

    [LibraryImport(Library)]
    internal static partial int shim_tensor_from_memory(
        IntPtr data, long* sizes, int dims, int dtype, IntPtr context, delegate* unmanaged[Cdecl]<IntPtr, void> release, out IntPtr tensor);

    [LibraryImport(Library)]
    internal static partial int shim_backward(TensorHandle tensor, TensorHandle gradient, int retainGraph, int createGraph);

    [LibraryImport(Library)]
    internal static partial int shim_autograd_grad(
        IntPtr* outputs, int outputCount, IntPtr* inputs, int inputCount, IntPtr* gradOutputs,
        int retainGraph, int createGraph, int allowUnused, IntPtr* results);

    [LibraryImport(Library)]
    internal static partial void shim_set_num_threads(int threads);

    [LibraryImport(Library)]
    internal static partial int shim_get_num_threads();

    [LibraryImport(Library)]
    internal static partial void shim_set_num_interop_threads(int threads);

    [LibraryImport(Library)]
    internal static partial int shim_get_num_interop_threads();

    [LibraryImport(Library)]
    internal static partial int shim_grad_enabled();

    [LibraryImport(Library)]
    internal static partial void shim_set_grad_enabled(int enabled);

    [LibraryImport(Library)]
    internal static partial IntPtr shim_inference_mode_enter(int enabled);

    [LibraryImport(Library)]
    internal static partial void shim_inference_mode_leave(IntPtr guard);

    [LibraryImport(Library)]
    internal static partial int shim_inference_mode_enabled();

    [LibraryImport(Library)]
    internal static partial int shim_manual_seed(ulong seed);

    [LibraryImport(Library)]
    internal static partial int shim_generator_new(ulong seed, int deviceType, int deviceIndex, out IntPtr generator);

    [LibraryImport(Library)]
    internal static partial int shim_generator_seed(GeneratorHandle generator, ulong seed);

    [LibraryImport(Library)]
    internal static partial ulong shim_generator_current_seed(GeneratorHandle generator);

    [LibraryImport(Library)]
    internal static partial void shim_generator_free(IntPtr generator);

    [LibraryImport(Library)]
    internal static partial int shim_generator_get_state(GeneratorHandle generator, out IntPtr state);

    [LibraryImport(Library)]
    internal static partial int shim_generator_set_state(GeneratorHandle generator, TensorHandle state);

    [LibraryImport(Library)]
    internal static partial int shim_cuda_available();

    [LibraryImport(Library)]
    internal static partial int shim_cuda_device_count();

    [LibraryImport(Library)]
    internal static partial int shim_cudnn_available();

    [LibraryImport(Library)]
    internal static partial int shim_cuda_synchronize(int deviceIndex);

    [LibraryImport(Library)]
    internal static partial int shim_matmul_tf32();

    [LibraryImport(Library)]
    internal static partial void shim_set_matmul_tf32(int allowed);

    [LibraryImport(Library)]
    internal static partial int shim_cudnn_tf32();

    [LibraryImport(Library)]
    internal static partial void shim_set_cudnn_tf32(int allowed);

    /// <summary>Throws the native error of the last call on this thread where <paramref name="status"/> is not 0.</summary>
    internal static void Check(int status, [CallerMemberName] string operation = "")
    {
        if (status != 0) throw new NativeOperationException(operation, LastError());
    }

    /// <inheritdoc cref="Check(int, string)"/>
    internal static void Check(int status, string operation, IEnumerable<torch.Tensor> tensors)
    {
        if (status != 0) throw new NativeOperationException(operation, $"{LastError().TrimEnd()} (arguments: {string.Join(", ", tensors)})");
    }

    internal static string LastError() => Marshal.PtrToStringUTF8(shim_last_error()) ?? "an unknown native error";
}
