using TorchSharp.Interop;

namespace TorchSharp;

public static partial class torch
{
    /// <summary>Seeds the default generators of every device.</summary>
    public static Generator manual_seed(long seed)
    {
        NativeMethods.Check(NativeMethods.shim_manual_seed(unchecked((ulong)seed)));
        return new Generator(unchecked((ulong)seed));
    }

    /// <summary>A source of random numbers; on the CPU a mt19937, of whose seed only the low 32 bits count.</summary>
    public class Generator : IDisposable
    {
        public Generator(ulong seed = 0, Device? device = null)
        {
            this.device = device ?? CPU;
            if (this.device.type == DeviceType.CUDA) cuda.Require(this.device.index);
            NativeMethods.Check(
                NativeMethods.shim_generator_new(seed, (int)this.device.type, this.device.index, out var native), "Generator");
            NativeHandle = new GeneratorHandle(native);
        }

        internal GeneratorHandle NativeHandle { get; }

        public Device device { get; }

        /// <summary>The generator's whole state, a byte tensor.</summary>
        public Tensor get_state()
        {
            NativeMethods.Check(NativeMethods.shim_generator_get_state(NativeHandle, out var state));
            return new Tensor(state);
        }

        public void set_state(Tensor value)
        {
            NativeMethods.Check(NativeMethods.shim_generator_set_state(NativeHandle, value.Native()));
        }

        public Generator manual_seed(long seed)
        {
            NativeMethods.Check(NativeMethods.shim_generator_seed(NativeHandle, unchecked((ulong)seed)));
            return this;
        }

        public long initial_seed()
        {
            return unchecked((long)NativeMethods.shim_generator_current_seed(NativeHandle));
        }

        public void Dispose()
        {
            NativeHandle.Dispose();
            GC.SuppressFinalize(this);
        }
    }
}
