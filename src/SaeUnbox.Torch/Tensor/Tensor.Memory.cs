using TorchSharp.Interop;
using TorchSharp.Utils;

namespace TorchSharp;

public static partial class torch
{
    public partial class Tensor
    {
        /// <summary>Reads the elements; a tensor on another device is copied to the CPU first.</summary>
        public TensorAccessor<T> data<T>() where T : unmanaged
        {
            RequireElement<T>();
            return new TensorAccessor<T>(is_cpu() ? this : cpu());
        }

        /// <summary>The value of a tensor of one element.</summary>
        public T item<T>() where T : unmanaged
        {
            if (numel() != 1) throw new ArgumentException($"A tensor of one element is needed, this one is {this}.");
            using var accessor = data<T>();
            return accessor[0];
        }

        /// <summary>The tensor's memory, which must be contiguous, on the CPU and at most 2 GB. It is gone with the tensor: hold on to that.</summary>
        public unsafe Span<byte> bytes
        {
            get => new((void*)DataPointer(), checked((int)ContiguousBytes()));
            set
            {
                if (ContiguousBytes() != value.Length) throw new ArgumentException($"{value.Length} bytes for {this}.");
                using var borrowed = new Borrowed(this);
                value.CopyTo(new Span<byte>((void*)DataPointer(), value.Length));
            }
        }

        /// <summary>Fills the tensor's memory from a stream.</summary>
        /// <exception cref="EndOfStreamException">The stream ends before the tensor is full.</exception>
        public unsafe void ReadBytesFromStream(Stream stream, int bufferSize = 1024)
        {
            using var borrowed = new Borrowed(this);
            var pointer = (byte*)DataPointer();
            for (var left = ContiguousBytes(); left > 0;)
            {
                var piece = (int)Math.Min(left, Math.Max(bufferSize, 1));
                stream.ReadExactly(new Span<byte>(pointer, piece));
                pointer += piece;
                left -= piece;
            }
        }

        public unsafe void WriteBytesToStream(Stream stream, int bufferSize = 1024)
        {
            using var borrowed = new Borrowed(this);
            var pointer = (byte*)DataPointer();
            for (var left = ContiguousBytes(); left > 0;)
            {
                var piece = (int)Math.Min(left, Math.Max(bufferSize, 1));
                stream.Write(new ReadOnlySpan<byte>(pointer, piece));
                pointer += piece;
                left -= piece;
            }
        }

        internal IntPtr DataPointer()
        {
            NativeMethods.Check(NativeMethods.shim_tensor_data(Native(), out var pointer), "data");
            return pointer;
        }

        private long ContiguousBytes() => is_contiguous()
            ? numel() * element_size()
            : throw new InvalidOperationException($"The memory of a non-contiguous tensor ({this}) has no order of its own; call contiguous() first.");

        private void RequireElement<T>()
        {
            var fits = dtype switch
            {
                ScalarType.Byte => typeof(T) == typeof(byte),
                ScalarType.Int8 => typeof(T) == typeof(sbyte),
                ScalarType.Int16 => typeof(T) == typeof(short),
                ScalarType.Int32 => typeof(T) == typeof(int),
                ScalarType.Int64 => typeof(T) == typeof(long),
                ScalarType.Float16 => typeof(T) == typeof(Half),
                ScalarType.Float32 => typeof(T) == typeof(float),
                ScalarType.Float64 => typeof(T) == typeof(double),
                ScalarType.Bool => typeof(T) == typeof(bool),
                _ => false,
            };
            if (!fits) throw new ArgumentException($"{typeof(T).Name} is not compatible with {dtype}; convert the tensor first.");
        }
    }
}
