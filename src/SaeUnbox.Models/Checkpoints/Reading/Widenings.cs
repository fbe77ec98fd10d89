using System.Runtime.InteropServices;

namespace SaeUnbox.Models;

/// <summary>Turns stored elements of a type that libtorch lacks into the next wider one that it has, exactly.</summary>
/// <returns>False where a value does not fit.</returns>
internal delegate bool Widening(ReadOnlySpan<byte> from, Span<byte> to);

/// <summary>The widenings of unsigned integers and of 8-bit floats (arXiv 2209.05433; FNUZ: arXiv 2206.02915; E8M0: the OCP MX specification).</summary>
internal static class Widenings
{
    public static readonly Widening UInt16ToInt32 = (from, to) => Each<ushort, int>(from, to, value => value);
    public static readonly Widening UInt32ToInt64 = (from, to) => Each<uint, long>(from, to, value => value);

    public static readonly Widening UInt64ToInt64 = (from, to) =>
        !MemoryMarshal.Cast<byte, ulong>(from).ContainsAnyInRange(1UL << 63, ulong.MaxValue) && Each<ulong, long>(from, to, value => (long)value);

    public static readonly Widening E4M3 = Table(code => (code & 0x7f) == 0x7f ? double.NaN : Number(code, 3, 7));
    public static readonly Widening E4M3Fnuz = Table(code => code == 0x80 ? double.NaN : Number(code, 3, 8));
    public static readonly Widening E5M2Fnuz = Table(code => code == 0x80 ? double.NaN : Number(code, 2, 16));

    /// <summary>The upper byte of a float16.</summary>
    public static readonly Widening E5M2 = (from, to) => Each<byte, ushort>(from, to, code => (ushort)(code << 8));

    /// <summary>An exponent alone: the scale of a block.</summary>
    public static readonly Widening E8M0 = (from, to) => Each<byte, float>(from, to, code => code == 255 ? float.NaN : MathF.ScaleB(1, code - 127));

    private static Widening Table(Func<int, double> valueOf)
    {
        Half[] values = [.. Enumerable.Range(0, 256).Select(code => (Half)valueOf(code))];
        return (from, to) => Each<byte, Half>(from, to, code => values[code]);
    }

    private static double Number(int code, int mantissaBits, int bias)
    {
        var (exponent, mantissa) = ((code & 0x7f) >> mantissaBits, code & ((1 << mantissaBits) - 1));
        // Without an exponent the leading one is missing.
        var size = exponent == 0
            ? Math.ScaleB(mantissa, 1 - bias - mantissaBits)
            : Math.ScaleB((1 << mantissaBits) + mantissa, exponent - bias - mantissaBits);
        return code < 0x80 ? size : -size;
    }

    private static bool Each<TFrom, TTo>(ReadOnlySpan<byte> from, Span<byte> to, Func<TFrom, TTo> widen) where TFrom : struct where TTo : struct
    {
        var narrow = MemoryMarshal.Cast<byte, TFrom>(from);
        var wide = MemoryMarshal.Cast<byte, TTo>(to);
        for (var i = 0; i < narrow.Length; i++) wide[i] = widen(narrow[i]);
        return true;
    }
}
