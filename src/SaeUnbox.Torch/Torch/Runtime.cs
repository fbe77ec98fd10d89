using System.Runtime.InteropServices;
using TorchSharp.Interop;

namespace TorchSharp;

public static partial class torch
{
    /// <summary>libtorch's version.</summary>
    public static string __version__ => Marshal.PtrToStringUTF8(NativeMethods.shim_version()) ?? "";

    /// <summary>Opens a scope on this thread: tensors made until it is disposed go with it.</summary>
    public static DisposeScope NewDisposeScope() => DisposeScopeManager.ThreadSingleton.Push();

    public static int get_num_threads() => NativeMethods.shim_get_num_threads();

    public static void set_num_threads(int num) =>
        NativeMethods.shim_set_num_threads(num > 0 ? num : throw new ArgumentOutOfRangeException(nameof(num), num, "At least one thread is needed."));

    public static int get_num_interop_threads() => NativeMethods.shim_get_num_interop_threads();

    public static void set_num_interop_threads(int num) => NativeMethods.shim_set_num_interop_threads(num);

    /// <summary>The GPUs of this libtorch; a build without CUDA has none.</summary>
    public static partial class cuda
    {
        public static bool is_available() => NativeMethods.shim_cuda_available() != 0;

        public static bool is_cudnn_available() => NativeMethods.shim_cudnn_available() != 0;

        public static int device_count() => NativeMethods.shim_cuda_device_count();

        public static void manual_seed(long seed)
        {
            Require();
            torch.manual_seed(seed);
        }

        public static void manual_seed_all(long seed) => manual_seed(seed);

        /// <summary>Waits until every kernel on the device has ended.</summary>
        public static void synchronize(Device? device = null)
        {
            Require();
            NativeMethods.Check(NativeMethods.shim_cuda_synchronize(device is { index: >= 0 } given ? given.index : 0), "cuda.synchronize");
        }

        internal static void Require(int index = 0)
        {
            if (!is_available())
                throw new InvalidOperationException($"No CUDA device: libtorch {__version__} was built without CUDA or found no GPU; use the cpu device.");
            if (index >= device_count())
                throw new InvalidOperationException($"No CUDA device {index}: there are {device_count()}, counted from 0.");
        }
    }

    /// <summary>Settings of the mathematics libraries.</summary>
    public static partial class backends
    {
        public static partial class cuda
        {
            public static partial class matmul
            {
                /// <summary>Whether products of float32 may round their operands to TF32.</summary>
                public static bool allow_tf32
                {
                    get => NativeMethods.shim_matmul_tf32() != 0;
                    set => NativeMethods.shim_set_matmul_tf32(value ? 1 : 0);
                }
            }
        }

        public static partial class cudnn
        {
            /// <summary>Whether convolutions of float32 may round their operands to TF32.</summary>
            public static bool allow_tf32
            {
                get => NativeMethods.shim_cudnn_tf32() != 0;
                set => NativeMethods.shim_set_cudnn_tf32(value ? 1 : 0);
            }
        }
    }
}
