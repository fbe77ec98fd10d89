using System.Runtime.InteropServices;

namespace TorchSharp.Interop;

/// <summary>Owns one native <c>at::Tensor</c>; freed once, by whoever comes first of Dispose and the finaliser.</summary>
internal sealed class TensorHandle : SafeHandle
{
    /// <summary>Stands for no tensor.</summary>
    internal static readonly TensorHandle None = new(IntPtr.Zero);

    internal TensorHandle(IntPtr native) : base(IntPtr.Zero, true) => SetHandle(native);

    public override bool IsInvalid => handle == IntPtr.Zero;

    protected override bool ReleaseHandle()
    {
        NativeMethods.shim_tensor_free(handle);
        return true;
    }
}

/// <summary>Owns one native <c>at::Generator</c>.</summary>
internal sealed class GeneratorHandle : SafeHandle
{
    internal GeneratorHandle(IntPtr native) : base(IntPtr.Zero, true) => SetHandle(native);

    public override bool IsInvalid => handle == IntPtr.Zero;

    protected override bool ReleaseHandle()
    {
        NativeMethods.shim_generator_free(handle);
        return true;
    }
}

/// <summary>Keeps tensors alive until it is disposed, so that neither a Dispose on another thread nor the finaliser pulls their memory away.</summary>
internal readonly ref struct Borrowed : IDisposable
{
    private readonly List<SafeHandle> handles = [];

    internal Borrowed(params ReadOnlySpan<torch.Tensor> tensors)
    {
        try
        {
            foreach (var tensor in tensors)
            {
                var added = false;
                tensor.Native().DangerousAddRef(ref added);
                handles.Add(tensor.NativeHandle);
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The native tensors, in order.</summary>
    internal IntPtr[] Pointers => [.. handles.Select(handle => handle.DangerousGetHandle())];

    public void Dispose()
    {
        foreach (var handle in handles) handle.DangerousRelease();
    }
}
