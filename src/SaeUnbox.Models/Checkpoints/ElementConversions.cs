using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using TorchSharp;

namespace SaeUnbox.Models;

/// <summary>
/// Converts elements between the formats that models are stored and run in, 16 at a time. Numbers become those of libtorch, bit for bit;
/// NaN stays NaN.
/// </summary>
internal static unsafe class ElementConversions
{
    private const int Lanes = 16;

    /// <summary>For elements that stay as they are.</summary>
    public static readonly Widening Copy = (from, to) => from.TryCopyTo(to);

    /// <summary>The conversion; null for a pair that is left to libtorch.</summary>
    public static Widening? Find(ElementType from, torch.ScalarType to) => (from.Name, to) switch
    {
        _ when from.ScalarType == to => from.Widening ?? Copy,
        ("F16", torch.ScalarType.BFloat16) => Float16ToBFloat16,
        ("F16", torch.ScalarType.Float32) => Each<Float16Lanes, Float32Lanes>,
        ("BF16", torch.ScalarType.Float32) => Each<BFloat16Lanes, Float32Lanes>,
        ("F32", torch.ScalarType.BFloat16) => Each<Float32Lanes, BFloat16Lanes>,
        _ => null,
    };

    /// <summary>Transposes matrices of [rows, columns] that follow each other.</summary>
    /// <param name="width">Size of an element in bytes: 2 or 4.</param>
    public static void Transpose(ReadOnlySpan<byte> from, Span<byte> to, int rows, int columns, int width)
    {
        if (width == sizeof(ushort))
            Transpose(MemoryMarshal.Cast<byte, ushort>(from), MemoryMarshal.Cast<byte, ushort>(to), rows, columns);
        else
            Transpose(MemoryMarshal.Cast<byte, uint>(from), MemoryMarshal.Cast<byte, uint>(to), rows, columns);
    }

    private static void Transpose<T>(ReadOnlySpan<T> from, Span<T> to, int rows, int columns)
    {
        for (; from.Length > 0; from = from[(rows * columns)..], to = to[(rows * columns)..])
            for (var column = 0; column < columns; column++)
            {
                var line = to.Slice(column * rows, rows);
                for (int row = 0, at = column; row < line.Length; row++, at += columns)
                    line[row] = from[at];
            }
    }

    /// <summary>
    /// Rounds the mantissa's ten bits to seven and moves the exponent, 32 numbers at a time without widening them. Numbers without the
    /// hidden bit, infinities and NaN take the way through float32.
    /// </summary>
    private static bool Float16ToBFloat16(ReadOnlySpan<byte> from, Span<byte> to)
    {
        const ushort least = 1 << 10, infinite = 0x7c00, rebias = (127 - 15) << 7;
        var whole = from.Length / sizeof(ushort) / Vector512<ushort>.Count * Vector512<ushort>.Count;
        ArgumentOutOfRangeException.ThrowIfLessThan(to.Length, from.Length);
        fixed (byte* source = from, target = to)
            for (var i = 0; i < whole; i += Vector512<ushort>.Count)
            {
                var bits = Vector512.Load((ushort*)source + i);
                var size = bits & Vector512.Create((ushort)0x7fff);
                var isNormal = Vector512.LessThan(size - Vector512.Create(least), Vector512.Create((ushort)(infinite - least)));
                if ((isNormal | Vector512.Equals(size, Vector512<ushort>.Zero)) != Vector512<ushort>.AllBitsSet)
                {
                    BFloat16Lanes.Store(Float16Lanes.Load(source, i), target, i);
                    BFloat16Lanes.Store(Float16Lanes.Load(source, i + Lanes), target, i + Lanes);
                    continue;
                }

                var rounded = (size + Vector512.Create((ushort)3) + (size >> 3 & Vector512<ushort>.One)) >> 3;
                var moved = rounded + Vector512.Create(rebias) & isNormal;
                (moved | bits & Vector512.Create((ushort)0x8000)).Store((ushort*)target + i);
            }

        return Each<Float16Lanes, BFloat16Lanes>(from[(whole * sizeof(ushort))..], to[(whole * sizeof(ushort))..]);
    }

    private static bool Each<TFrom, TTo>(ReadOnlySpan<byte> from, Span<byte> to) where TFrom : ILoadLanes where TTo : ILanes
    {
        var count = from.Length / TFrom.Bytes;
        ArgumentOutOfRangeException.ThrowIfLessThan(to.Length, count * TTo.Bytes);
        fixed (byte* source = from, target = to)
        {
            var whole = count - count % Lanes;
            for (var i = 0; i < whole; i += Lanes)
                TTo.Store(TFrom.Load(source, i), target, i);
            if (whole == count)
                return true;
            byte* lastSource = stackalloc byte[Lanes * sizeof(float)], lastTarget = stackalloc byte[Lanes * sizeof(float)];
            from[(whole * TFrom.Bytes)..].CopyTo(new Span<byte>(lastSource, Lanes * sizeof(float)));
            TTo.Store(TFrom.Load(lastSource, 0), lastTarget, 0);
            new ReadOnlySpan<byte>(lastTarget, (count - whole) * TTo.Bytes).CopyTo(to[(whole * TTo.Bytes)..]);
        }

        return true;
    }
}
