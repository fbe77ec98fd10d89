using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace SaeUnbox.Models;

/// <summary>Loads 16 consecutive elements as float32.</summary>
internal unsafe interface ILoadLanes
{
    /// <summary>Size of an element.</summary>
    static abstract int Bytes { get; }

    static abstract Vector512<float> Load(void* memory, long index);
}

/// <summary>Loads and stores 16 consecutive elements as float32.</summary>
internal unsafe interface ILanes : ILoadLanes
{
    static abstract void Store(Vector512<float> values, void* memory, long index);

    /// <summary>One element, for the ends of rows.</summary>
    static abstract float One(void* memory, long index);

    /// <summary>Stores one element.</summary>
    static abstract void StoreOne(float value, void* memory, long index);
}

internal readonly unsafe struct Float32Lanes : ILanes
{
    public static int Bytes => sizeof(float);

    public static float One(void* memory, long index) => ((float*)memory)[index];

    public static void StoreOne(float value, void* memory, long index) => ((float*)memory)[index] = value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(void* memory, long index) => Vector512.Load((float*)memory + index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector512<float> values, void* memory, long index) => values.Store((float*)memory + index);
}

/// <summary>float16 has five bits of exponent, float32 eight.</summary>
internal readonly unsafe struct Float16Lanes : ILoadLanes
{
    public static int Bytes => sizeof(ushort);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(void* memory, long index)
    {
        const uint rebias = (127 - 15) << 23, least = 1 << 10, infinite = 0x7c00, hidden = rebias + (1 << 23);
        var bits = WideLanes.Load(memory, index);
        var size = bits & Vector512.Create(0x7fffu);
        var normal = (size << 13) + Vector512.Create(rebias);
        // Infinities and NaNs keep the largest exponent.
        normal += Vector512.GreaterThanOrEqual(size, Vector512.Create(infinite)) & Vector512.Create(rebias);
        // A number without the hidden bit is one with it, less that bit.
        var small = ((size << 13) + Vector512.Create(hidden)).AsSingle() - Vector512.Create(hidden).AsSingle();
        var values = Vector512.ConditionalSelect(Vector512.LessThan(size, Vector512.Create(least)), small.AsUInt32(), normal);
        return (values | (bits & Vector512.Create(0x8000u)) << 16).AsSingle();
    }
}

/// <summary>bfloat16 is the upper half of float32.</summary>
internal readonly unsafe struct BFloat16Lanes : ILanes
{
    public static int Bytes => sizeof(ushort);

    public static float One(void* memory, long index) => BitConverter.Int32BitsToSingle(((ushort*)memory)[index] << 16);

    public static void StoreOne(float value, void* memory, long index)
    {
        var lanes = stackalloc ushort[16];
        Store(Vector512.Create(value), lanes, 0);
        ((ushort*)memory)[index] = *lanes;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(void* memory, long index) => (WideLanes.Load(memory, index) << 16).AsSingle();

    /// <summary>Rounds to nearest, ties to even. NaN stays NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector512<float> values, void* memory, long index)
    {
        var bits = values.AsUInt32();
        var rounded = bits + Vector512.Create(0x7fffu) + (bits >> 16 & Vector512<uint>.One);
        var isNumber = Vector512.Equals(values, values).AsUInt32();
        var upper = Vector512.ConditionalSelect(isNumber, rounded, bits | Vector512.Create(0x400000u)) >> 16;
        var halves = Avx512F.IsSupported
            ? Avx512F.ConvertToVector256UInt16(upper)
            : Vector256.Narrow(upper.GetLower(), upper.GetUpper());
        halves.Store((ushort*)memory + index);
    }
}

internal static unsafe class WideLanes
{
    /// <summary>Loads 16 consecutive elements of 16 bits into the lower halves of 32.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<uint> Load(void* memory, long index)
    {
        var halves = Vector256.Load((ushort*)memory + index);
        return Avx512F.IsSupported
            ? Avx512F.ConvertToVector512UInt32(halves)
            : Vector512.Create(Vector256.WidenLower(halves), Vector256.WidenUpper(halves));
    }
}

/// <summary>The exponential function in float32, with an error of at most two units in the last place.</summary>
internal static class Exponential
{
    /// <summary>e^x, with x clamped to -87 … 88 so that the result is a normal number.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Compute(Vector512<float> x)
    {
        // If one operand is NaN, the native instructions return the second.
        x = Vector512.MinNative(Vector512.Create(88f), Vector512.MaxNative(Vector512.Create(-87f), x));
        // x = n ln 2 + r, with ln 2 in two parts so that the first product is exact; e^r by the polynomial of expf in Cephes.
        var n = Vector512.Floor(Vector512.FusedMultiplyAdd(x, Vector512.Create(1.44269504f), Vector512.Create(.5f)));
        var r = Vector512.FusedMultiplyAdd(n, Vector512.Create(-0.693359375f), x);
        r = Vector512.FusedMultiplyAdd(n, Vector512.Create(2.12194440e-4f), r);
        var p = Vector512.FusedMultiplyAdd(Vector512.Create(1.9875691500e-4f), r, Vector512.Create(1.3981999507e-3f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(8.3334519073e-3f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(4.1665795894e-2f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1.6666665459e-1f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(5.0000001201e-1f));
        p = Vector512.FusedMultiplyAdd(p, r * r, r + Vector512<float>.One);
        return p * (Vector512.ConvertToInt32Native(n) + Vector512.Create(127) << 23).AsSingle();
    }
}

/// <summary>The activation x Phi(x), with the normal distribution's Phi (arXiv 1606.08415), in float32.</summary>
internal static class Gelu
{
    /// <summary>The absolute error is below 2e-7 |x|.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Compute(Vector512<float> x)
    {
        // Phi(-a) is half of erfc(a / sqrt(2)), by 7.1.26 of Abramowitz and Stegun, with the halves in the coefficients.
        var a = Vector512.Abs(x);
        var t = Vector512<float>.One / Vector512.FusedMultiplyAdd(a, Vector512.Create(.3275911f * .70710678f), Vector512<float>.One);
        var p = Vector512.FusedMultiplyAdd(Vector512.Create(.530702715f), t, Vector512.Create(-.7265760135f));
        p = Vector512.FusedMultiplyAdd(p, t, Vector512.Create(.7107068705f));
        p = Vector512.FusedMultiplyAdd(p, t, Vector512.Create(-.142248368f));
        p = Vector512.FusedMultiplyAdd(p, t, Vector512.Create(.127414796f));
        var tail = p * t * Exponential.Compute(a * a * Vector512.Create(-.5f));
        return x * Vector512.ConditionalSelect(Vector512.LessThan(x, Vector512<float>.Zero), tail, Vector512<float>.One - tail);
    }
}
