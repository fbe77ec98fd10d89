using System.Runtime.InteropServices;
using System.Text;
using static TorchSharp.torch;

namespace TorchSharp.Interop;

/// <summary>One ATen operator, found by name and called through the dispatcher; trailing arguments left out take the schema's defaults.</summary>
internal sealed unsafe class Operator(string name, string overload = "")
{
    private const int MaximalArguments = 16;
    private const int InlineWords = 64;

    private readonly Lazy<IntPtr> handle = new(() =>
    {
        NativeMethods.Check(NativeMethods.shim_operator("aten::" + name, overload, out var found), "aten::" + name);
        return found;
    });

    internal string Name => overload.Length == 0 ? $"aten::{name}" : $"aten::{name}.{overload}";

    /// <summary>Whether this libtorch has the operator.</summary>
    internal bool Exists => handle.Value != IntPtr.Zero;

    /// <summary>Calls an operator of one result.</summary>
    internal Tensor Call(params ReadOnlySpan<Argument> arguments)
    {
        IntPtr result;
        return Invoke(arguments, &result, 1) == 1 ? new Tensor(result) : throw new NativeOperationException(Name, "returned no tensor");
    }

    /// <summary>Calls an operator that changes its first argument in place and returns that argument.</summary>
    internal Tensor CallInPlace(params ReadOnlySpan<Argument> arguments)
    {
        IntPtr result;
        if (Invoke(arguments, &result, 1) == 1) NativeMethods.shim_tensor_free(result);
        return (Tensor)arguments[0].Reference!;
    }

    /// <summary>Calls an operator of two results.</summary>
    internal (Tensor, Tensor) CallPair(params ReadOnlySpan<Argument> arguments)
    {
        var results = stackalloc IntPtr[2];
        if (Invoke(arguments, results, 2) != 2) throw new NativeOperationException(Name, "did not return two tensors");
        return (new Tensor(results[0]), new Tensor(results[1]));
    }

    /// <summary>Calls an operator of any number of results, at most <paramref name="capacity"/>.</summary>
    internal Tensor[] CallMany(int capacity, params ReadOnlySpan<Argument> arguments)
    {
        var results = new IntPtr[capacity];
        int count;
        fixed (IntPtr* first = results) count = Invoke(arguments, first, capacity);
        var tensors = new Tensor[count];
        for (var i = 0; i < count; i++) tensors[i] = new Tensor(results[i]);
        return tensors;
    }

    private int Invoke(ReadOnlySpan<Argument> arguments, IntPtr* results, int capacity)
    {
        if (!Exists) throw new NativeOperationException(Name, $"this libtorch ({torch.__version__}) has no such operator");
        var natives = stackalloc NativeArgument[MaximalArguments];
        var words = 0;
        foreach (ref readonly var argument in arguments)
        {
            words += argument.Reference is Array ? argument.Length : 0;
            RequireAlive(argument);
        }
        var inline = stackalloc long[InlineWords];
        var spare = words > InlineWords ? new long[words] : null;
        var borrowed = 0;
        fixed (long* large = spare)
        {
            var memory = spare is null ? inline : large;
            try
            {
                for (var i = 0; i < arguments.Length; i++)
                {
                    Lower(arguments[i], ref natives[i], ref memory);
                    borrowed = i + 1;
                }
                if (NativeMethods.shim_call(handle.Value, natives, arguments.Length, results, capacity, out var count) != 0)
                    throw new NativeOperationException(Name, $"{NativeMethods.LastError().TrimEnd()} ({Describe(arguments)})");
                return count;
            }
            finally
            {
                for (var i = 0; i < borrowed; i++) Release(arguments[i], natives[i]);
            }
        }
    }

    // Writes the native form; lists go to `memory`, which moves on past them.
    private void Lower(in Argument argument, ref NativeArgument native, ref long* memory)
    {
        native.Kind = argument.Kind;
        native.Length = argument.Length;
        switch (argument.Kind)
        {
            case ArgumentKind.Tensor:
                native.Payload = Borrow(((Tensor)argument.Reference!).NativeHandle);
                break;
            case ArgumentKind.Generator:
                native.Payload = Borrow(((Generator)argument.Reference!).NativeHandle);
                break;
            case ArgumentKind.IntList:
            case ArgumentKind.DoubleList:
                var values = argument.Reference is long[] integers
                    ? integers.AsSpan()
                    : MemoryMarshal.Cast<double, long>(((double[])argument.Reference!).AsSpan());
                values.CopyTo(new Span<long>(memory, values.Length));
                native.Payload = (long)memory;
                memory += values.Length;
                break;
            case ArgumentKind.TensorList:
            case ArgumentKind.OptionalTensorList:
                var tensors = (Tensor?[])argument.Reference!;
                native.Payload = (long)memory;
                for (var i = 0; i < tensors.Length; i++) memory[i] = tensors[i] is { } tensor ? Borrow(tensor.NativeHandle) : 0;
                memory += tensors.Length;
                break;
            case ArgumentKind.String:
                var text = Encoding.UTF8.GetBytes((string)argument.Reference!);
                native.Length = text.Length;
                native.Payload = (long)NativeMemory.Alloc((nuint)Math.Max(1, text.Length));
                text.CopyTo(new Span<byte>((void*)native.Payload, text.Length));
                break;
            case ArgumentKind.Device:
                if (argument.Bits == (long)DeviceType.CUDA) cuda.Require(argument.Length);
                native.Payload = argument.Bits;
                break;
            default:
                native.Payload = argument.Bits;
                break;
        }
    }

    private void RequireAlive(in Argument argument)
    {
        var dead = argument.Reference switch
        {
            Tensor tensor => tensor.IsInvalid,
            Tensor?[] tensors => tensors.Any(tensor => tensor is { IsInvalid: true }),
            _ => false,
        };
        if (dead) throw new ObjectDisposedException(nameof(Tensor), $"{Name}: a tensor among its arguments was disposed.");
    }

    private static long Borrow(SafeHandle safe)
    {
        var added = false;
        safe.DangerousAddRef(ref added);
        return safe.DangerousGetHandle();
    }

    private static void Release(in Argument argument, in NativeArgument native)
    {
        switch (argument.Kind)
        {
            case ArgumentKind.Tensor:
                ((Tensor)argument.Reference!).NativeHandle.DangerousRelease();
                break;
            case ArgumentKind.Generator:
                ((Generator)argument.Reference!).NativeHandle.DangerousRelease();
                break;
            case ArgumentKind.TensorList:
            case ArgumentKind.OptionalTensorList:
                foreach (var tensor in (Tensor?[])argument.Reference!) tensor?.NativeHandle.DangerousRelease();
                break;
            case ArgumentKind.String:
                NativeMemory.Free((void*)native.Payload);
                break;
        }
    }

    private static string Describe(ReadOnlySpan<Argument> arguments)
    {
        var shapes = new List<string>();
        foreach (ref readonly var argument in arguments)
        {
            if (argument.Reference is Tensor tensor) shapes.Add(tensor.ToString());
            else if (argument.Reference is Tensor?[] tensors) shapes.Add("[" + string.Join("; ", tensors.Select(t => t?.ToString() ?? "none")) + "]");
        }
        return shapes.Count == 0 ? "no tensor arguments" : "arguments: " + string.Join(", ", shapes);
    }
}
