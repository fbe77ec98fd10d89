using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace SaeUnbox.Models;

/// <summary>Loads and stores 16 consecutive elements as float32.</summary>
internal unsafe interface ILanes
{
    static abstract Vector512<float> Load(void* memory, long index);

    static abstract void Store(Vector512<float> values, void* memory, long index);
}

internal readonly unsafe struct Float32Lanes : ILanes
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(void* memory, long index) => Vector512.Load((float*)memory + index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector512<float> values, void* memory, long index) => values.Store((float*)memory + index);
}

/// <summary>bfloat16 is the upper half of float32.</summary>
internal readonly unsafe struct BFloat16Lanes : ILanes
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(void* memory, long index)
    {
        var halves = Vector256.Load((ushort*)memory + index);
        return (Vector512.Create(Vector256.WidenLower(halves), Vector256.WidenUpper(halves)) << 16).AsSingle();
    }

    /// <summary>Rounds to nearest, ties to even. NaN stays NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector512<float> values, void* memory, long index)
    {
        var bits = values.AsUInt32();
        var rounded = bits + Vector512.Create(0x7fffu) + (bits >> 16 & Vector512<uint>.One);
        var isNumber = Vector512.Equals(values, values).AsUInt32();
        var upper = Vector512.ConditionalSelect(isNumber, rounded, bits | Vector512.Create(0x400000u)) >> 16;
        Vector256.Narrow(upper.GetLower(), upper.GetUpper()).Store((ushort*)memory + index);
    }
}
