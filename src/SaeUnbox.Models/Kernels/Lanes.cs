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
}

internal readonly unsafe struct Float32Lanes : ILanes
{
    public static int Bytes => sizeof(float);

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
