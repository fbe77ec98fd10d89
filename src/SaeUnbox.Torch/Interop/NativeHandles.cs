using System.Runtime.InteropServices;

namespace TorchSharp.Interop;

/// <summary>Owns one native <c>at::Tensor</c>; freed once, by whoever comes first of Dispose and the finaliser.</summary>
internal sealed class TensorHandle : SafeHandle
{
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

/// <summary>Keeps a native handle alive for the length of a call, so that a Dispose on another thread cannot pull it away.</summary>
internal readonly ref struct Borrowed
{
    private readonly SafeHandle handle;

    internal IntPtr Pointer { get; }

    internal Borrowed(SafeHandle handle)
    {
        var added = false;
        handle.DangerousAddRef(ref added);
        this.handle = handle;
        Pointer = handle.DangerousGetHandle();
    }

    public void Dispose() => handle.DangerousRelease();
}
