using TorchSharp.Interop;

namespace TorchSharp;

public static partial class torch
{
    /// <summary>A tensor of libtorch. Its memory goes with <see cref="Dispose()"/>, with its dispose scope, or with the finaliser.</summary>
    public partial class Tensor : IDisposable
    {
        internal Tensor(IntPtr handle, bool register = true)
        {
            NativeHandle = new TensorHandle(handle);
            if (register) OwningDisposeScope = DisposeScopeManager.Register(this);
        }

        internal TensorHandle NativeHandle { get; private set; }

        internal DisposeScope? OwningDisposeScope { get; set; }

        /// <summary>Whether the tensor has been disposed.</summary>
        public bool IsInvalid => NativeHandle.IsClosed || NativeHandle.IsInvalid;

        /// <summary>A name for messages.</summary>
        public string? name { get; set; }

        public void Dispose()
        {
            Dispose(true);
            GC.SuppressFinalize(this);
        }

        protected virtual void Dispose(bool disposing)
        {
            OwningDisposeScope?.MarkAsDisposed(this);
            NativeHandle.Dispose();
        }

        /// <summary>Hands the tensor to the scope around the current one, or to nobody where there is none.</summary>
        public Tensor MoveToOuterDisposeScope()
        {
            OwningDisposeScope?.MoveToOuter(this);
            return this;
        }

        /// <summary>Takes the tensor out of every scope: it lives until it is disposed or finalised.</summary>
        public Tensor DetachFromDisposeScope()
        {
            OwningDisposeScope?.Detach(this);
            return this;
        }

        public Tensor MoveToOtherDisposeScope(Tensor other) => MoveToOtherDisposeScope(other.OwningDisposeScope);

        public Tensor MoveToOtherDisposeScope(DisposeScope? other)
        {
            if (OwningDisposeScope is null) other?.Attach(this);
            else OwningDisposeScope.MoveToOther(other, this);
            return this;
        }

        /// <summary>The handle leaves this object, which is then invalid, and lives on in another.</summary>
        internal IntPtr MoveHandle()
        {
            NativeMethods.Check(NativeMethods.shim_tensor_alias(Native(), out var alias), "alias");
            NativeHandle.Dispose();
            GC.SuppressFinalize(this);
            return alias;
        }

        /// <summary>The handle, for a call that holds on to it while it lasts.</summary>
        internal TensorHandle Native() => IsInvalid
            ? throw new ObjectDisposedException(nameof(Tensor), "The tensor was disposed.")
            : NativeHandle;

        public override string ToString() =>
            IsInvalid ? "a disposed tensor" : $"[{string.Join("x", shape)}], type = {dtype}, device = {device}";
    }
}
