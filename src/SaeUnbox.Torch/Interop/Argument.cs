using System.Runtime.InteropServices;

namespace TorchSharp.Interop;

/// <summary>What an argument's payload means; the same numbers as in native/shim.h.</summary>
internal enum ArgumentKind
{
    None = 0, Tensor = 1, Int = 2, Double = 3, Bool = 4, IntList = 5, TensorList = 6,
    OptionalTensorList = 7, Device = 8, Generator = 9, String = 10, DoubleList = 11,
}

/// <summary>The native layout of one operator argument.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NativeArgument
{
    internal ArgumentKind Kind;
    internal int Length;
    internal long Payload;
}

/// <summary>One operator argument on the managed side: a number in place or a reference.</summary>
internal readonly struct Argument
{
    internal readonly ArgumentKind Kind;
    internal readonly int Length;
    internal readonly long Bits;
    internal readonly object? Reference;

    private Argument(ArgumentKind kind, long bits = 0, object? reference = null, int length = 0) =>
        (Kind, Bits, Reference, Length) = (kind, bits, reference, length);

    internal static readonly Argument None = default;

    /// <summary>A list in which a null stands for a missing index (a whole dimension).</summary>
    internal static Argument Optional(torch.Tensor?[] tensors) => new(ArgumentKind.OptionalTensorList, 0, tensors, tensors.Length);

    public static implicit operator Argument(torch.Tensor? tensor) => tensor is null ? default : new(ArgumentKind.Tensor, 0, tensor);
    public static implicit operator Argument(torch.Tensor[] tensors) => new(ArgumentKind.TensorList, 0, tensors, tensors.Length);
    public static implicit operator Argument(long value) => new(ArgumentKind.Int, value);
    public static implicit operator Argument(long? value) => value is { } number ? number : default(Argument);
    public static implicit operator Argument(double value) => new(ArgumentKind.Double, BitConverter.DoubleToInt64Bits(value));
    public static implicit operator Argument(double? value) => value is { } number ? number : default(Argument);
    public static implicit operator Argument(bool value) => new(ArgumentKind.Bool, value ? 1 : 0);
    public static implicit operator Argument(long[]? values) => values is null ? default : new(ArgumentKind.IntList, 0, values, values.Length);
    public static implicit operator Argument(double[]? values) => values is null ? default : new(ArgumentKind.DoubleList, 0, values, values.Length);
    public static implicit operator Argument(string? text) => text is null ? default : new(ArgumentKind.String, 0, text);
    public static implicit operator Argument(torch.ScalarType type) => (long)type;
    public static implicit operator Argument(torch.ScalarType? type) => type is { } value ? (long)value : default(Argument);
    public static implicit operator Argument(torch.Device? device) =>
        device is null ? default : new(ArgumentKind.Device, (long)device.type, null, device.index);
    public static implicit operator Argument(torch.Generator? generator) => generator is null ? default : new(ArgumentKind.Generator, 0, generator);
    public static implicit operator Argument(Scalar? scalar) => scalar is null ? default : new(scalar.Kind, scalar.Bits);
}
