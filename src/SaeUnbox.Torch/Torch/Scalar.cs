using TorchSharp.Interop;

namespace TorchSharp;

/// <summary>A number handed to an operator: an integer, a real or a truth value.</summary>
public sealed class Scalar : IDisposable
{
    internal readonly ArgumentKind Kind;
    internal readonly long Bits;

    private Scalar(ArgumentKind kind, long bits) => (Kind, Bits) = (kind, bits);

    /// <summary>The type the number has as a tensor's element.</summary>
    public torch.ScalarType Type => Kind switch
    {
        ArgumentKind.Double => torch.ScalarType.Float64,
        ArgumentKind.Bool => torch.ScalarType.Bool,
        _ => torch.ScalarType.Int64,
    };

    public static implicit operator Scalar(byte value) => new(ArgumentKind.Int, value);
    public static implicit operator Scalar(sbyte value) => new(ArgumentKind.Int, value);
    public static implicit operator Scalar(short value) => new(ArgumentKind.Int, value);
    public static implicit operator Scalar(int value) => new(ArgumentKind.Int, value);
    public static implicit operator Scalar(long value) => new(ArgumentKind.Int, value);
    public static implicit operator Scalar(Half value) => (double)value;
    public static implicit operator Scalar(float value) => (double)value;
    public static implicit operator Scalar(double value) => new(ArgumentKind.Double, BitConverter.DoubleToInt64Bits(value));
    public static implicit operator Scalar(bool value) => new(ArgumentKind.Bool, value ? 1 : 0);

    /// <summary>Nothing to free here; the type is disposable in the field's library.</summary>
    public void Dispose()
    {
    }

    internal double AsDouble() => Kind == ArgumentKind.Double ? BitConverter.Int64BitsToDouble(Bits) : Bits;

    internal long AsInt64() => Kind == ArgumentKind.Double ? checked((long)AsDouble()) : Bits;
}

/// <summary>Reads a scalar's number.</summary>
public static class ScalarExtensionMethods
{
    public static Scalar ToScalar(this int value) => value;
    public static Scalar ToScalar(this long value) => value;
    public static Scalar ToScalar(this float value) => value;
    public static Scalar ToScalar(this double value) => value;
    public static Scalar ToScalar(this bool value) => value;

    public static float ToSingle(this Scalar value) => (float)value.AsDouble();
    public static double ToDouble(this Scalar value) => value.AsDouble();
    public static int ToInt32(this Scalar value) => checked((int)value.AsInt64());
    public static long ToInt64(this Scalar value) => value.AsInt64();
    public static bool ToBoolean(this Scalar value) => value.AsDouble() != 0;
}
