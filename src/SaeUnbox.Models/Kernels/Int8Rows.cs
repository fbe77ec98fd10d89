using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>
/// Rows in int8, each with a scale of its own, its largest value over 127 (dynamic symmetric quantisation, arXiv 2208.07339 without its
/// exceptions). A row depends on nothing but the row that it was rounded from.
/// </summary>
/// <param name="Values">[N, K], int8.</param>
/// <param name="Scales">[N], float32; a row is its values times its scale.</param>
/// <param name="Shape">Of what was rounded, [..., K].</param>
/// <param name="Type">Of what was rounded.</param>
internal sealed unsafe record Int8Rows(Tensor Values, Tensor Scales, long[] Shape, ScalarType Type)
{
    public const float Largest = 127;

    // Added to a small number, this leaves its nearest integer in the lowest bits.
    private const float Rounding = 1.5f * (1 << 23);

    private const int Lanes = 16;

    /// <summary>The longest row that kernels keep on the stack between two passes.</summary>
    public const int MostColumns = 8192;

    /// <summary>Rounds the rows of [..., K], float32 or bfloat16.</summary>
    public static Int8Rows Of(Tensor x)
    {
        using var scope = NewDisposeScope();
        var result = Empty(x.shape, x.dtype);
        Fill(x.reshape(-1, x.shape[^1]).contiguous(), result.Values, result.Scales);
        return result.MoveToOuterDisposeScope();
    }

    /// <summary>Rounds the layer norm of the rows of [..., K], for which <see cref="NormKernel.Supports"/> holds; K is at most
    /// <see cref="MostColumns"/>.</summary>
    /// <param name="weight">[K], float32, like <paramref name="bias"/>.</param>
    public static Int8Rows OfLayerNorm(Tensor x, Tensor weight, Tensor bias, double eps)
    {
        using var scope = NewDisposeScope();
        var (rows, width) = (x.contiguous(), x.shape[^1]);
        var result = Empty(x.shape, x.dtype);
        var (from, factor, shift) = (Address(rows), Address(weight), Address(bias));
        var (values, scales, isWide) = (Address(result.Values), Address(result.Scales), x.dtype == ScalarType.Float32);
        CpuKernel.Rows(x.numel() / width, width, [SkipLocalsInit] (first, end) =>
        {
            var row = stackalloc float[MostColumns];
            for (var i = first; i < end; i++)
            {
                if (isWide)
                    NormKernel.Row<Float32Lanes, Float32Lanes>(
                        (float*)from + i * width, row, (int)width, (float*)factor, (float*)shift, eps);
                else
                    NormKernel.Row<BFloat16Lanes, Float32Lanes>(
                        (ushort*)from + i * width, row, (int)width, (float*)factor, (float*)shift, eps);
                ((float*)scales)[i] = RoundRow<Float32Lanes>(row, (sbyte*)values + i * width, width);
            }
        });
        GC.KeepAlive(weight);
        GC.KeepAlive(bias);
        return result.MoveToOuterDisposeScope();
    }

    /// <summary>Rows that are to be filled, in the current dispose scope.</summary>
    public static Int8Rows Empty(long[] shape, ScalarType type)
    {
        var count = shape[..^1].Aggregate(1L, (product, side) => product * side);
        return new(empty([count, shape[^1]], ScalarType.Int8), empty([count], ScalarType.Float32), shape, type);
    }

    public Int8Rows MoveToOuterDisposeScope()
    {
        Values.MoveToOuterDisposeScope();
        Scales.MoveToOuterDisposeScope();
        return this;
    }

    /// <summary>Rounds the rows of a matrix.</summary>
    /// <param name="rows">[N, ...], float32 or bfloat16, contiguous.</param>
    /// <param name="values">[N, ...], int8, contiguous; receives the rounded rows.</param>
    /// <param name="scales">[N], float32, contiguous.</param>
    public static void Fill(Tensor rows, Tensor values, Tensor scales)
    {
        var (count, width) = (rows.shape[0], rows.numel() / rows.shape[0]);
        var (from, to, factors, isWide) = (Address(rows), Address(values), Address(scales), rows.dtype == ScalarType.Float32);
        CpuKernel.Rows(count, width, (first, end) =>
        {
            for (var row = first; row < end; row++)
                ((float*)factors)[row] = isWide
                    ? RoundRow<Float32Lanes>((float*)from + row * width, (sbyte*)to + row * width, width)
                    : RoundRow<BFloat16Lanes>((ushort*)from + row * width, (sbyte*)to + row * width, width);
        });
    }

    /// <summary>Rounds a row, and returns its scale.</summary>
    public static float RoundRow<T>(void* from, sbyte* to, long width)
        where T : struct, ILanes
    {
        var largest = LargestOf<T>(from, width);
        Round<T>(from, to, 0, width, largest > 0 ? Largest / largest : 0, 0);
        return largest / Largest;
    }

    // The largest size of the numbers. Compared as integers, NaN is larger than every number.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float LargestOf<T>(void* memory, long width)
        where T : struct, ILanes
    {
        const int size = 0x7fffffff;
        var (most, i) = (Vector512<int>.Zero, 0L);
        for (; i <= width - Lanes; i += Lanes)
            most = Vector512.Max(most, T.Load(memory, i).AsInt32() & Vector512.Create(size));

        var largest = 0;
        for (var lane = 0; lane < Lanes; lane++)
            largest = Math.Max(largest, most[lane]);
        for (; i < width; i++)
            largest = Math.Max(largest, BitConverter.SingleToInt32Bits(T.One(memory, i)) & size);
        return BitConverter.Int32BitsToSingle(largest);
    }

    /// <summary>The least and the largest of the numbers and 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static (float Low, float High) Range<T>(void* memory, long start, long end)
        where T : struct, ILanes
    {
        var (low, high) = (Vector512<float>.Zero, Vector512<float>.Zero);
        var i = start;
        for (; i <= end - Lanes; i += Lanes)
        {
            var values = T.Load(memory, i);
            (low, high) = (Vector512.Min(low, values), Vector512.Max(high, values));
        }

        var (least, most) = (0f, 0f);
        for (var lane = 0; lane < Lanes; lane++)
            (least, most) = (Math.Min(least, low[lane]), Math.Max(most, high[lane]));
        for (; i < end; i++)
            (least, most) = (Math.Min(least, T.One(memory, i)), Math.Max(most, T.One(memory, i)));
        return (least, most);
    }

    /// <summary>Rounds numbers times <paramref name="inverse"/> plus <paramref name="added"/> into the same places elsewhere.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Round<T>(void* from, sbyte* to, long start, long end, float inverse, float added)
        where T : struct, ILanes
    {
        var (factor, rounding) = (Vector512.Create(inverse), Vector512.Create(Rounding + added));
        var i = start;
        for (; i <= end - Lanes; i += Lanes)
            Narrow(Vector512.FusedMultiplyAdd(T.Load(from, i), factor, rounding).AsInt32()).Store(to + i);

        for (; i < end; i++)
            to[i] = (sbyte)BitConverter.SingleToInt32Bits(MathF.FusedMultiplyAdd(T.One(from, i), inverse, Rounding + added));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<sbyte> Narrow(Vector512<int> values)
    {
        if (Avx512F.IsSupported)
            return Avx512F.ConvertToVector128SByte(values);
        var shorts = Vector256.Narrow(values.GetLower(), values.GetUpper());
        return Vector128.Narrow(shorts.GetLower(), shorts.GetUpper());
    }

    private static nint Address(Tensor tensor) => (nint)CpuKernel.Address(tensor);
}
