using TorchSharp.Interop;

namespace TorchSharp;

public static partial class torch
{
    /// <summary>No gradients are recorded until the result is disposed.</summary>
    public static IDisposable no_grad() => new GradMode(false);

    public static IDisposable enable_grad(bool enabled = true) => new GradMode(enabled);

    public static IDisposable set_grad_enabled(bool mode = true) => new GradMode(mode);

    public static bool is_grad_enabled() => NativeMethods.shim_grad_enabled() != 0;

    /// <summary>Like <see cref="no_grad"/>, and what is made in it can never take part in a backward pass.</summary>
    public static IDisposable inference_mode(bool mode = true) => new InferenceMode(mode);

    public static bool is_inference_mode_enabled() => NativeMethods.shim_inference_mode_enabled() != 0;

    private sealed class GradMode : IDisposable
    {
        private readonly bool previous = is_grad_enabled();
        private bool left;

        internal GradMode(bool enabled) => NativeMethods.shim_set_grad_enabled(enabled ? 1 : 0);

        public void Dispose()
        {
            if (left) return;
            left = true;
            NativeMethods.shim_set_grad_enabled(previous ? 1 : 0);
        }
    }

    private sealed class InferenceMode(bool mode) : IDisposable
    {
        private IntPtr guard = NativeMethods.shim_inference_mode_enter(mode ? 1 : 0);

        public void Dispose()
        {
            var entered = Interlocked.Exchange(ref guard, IntPtr.Zero);
            if (entered != IntPtr.Zero) NativeMethods.shim_inference_mode_leave(entered);
        }
    }
}
