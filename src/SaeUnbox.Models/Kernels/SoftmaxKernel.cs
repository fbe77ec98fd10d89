using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>The softmax of attention in place, in half the time of libtorch's, which uses 256-bit vectors.</summary>
internal static unsafe class SoftmaxKernel
{
    private const int Lanes = 16;

    // A row in float32 that stays in the fastest cache.
    private const int MostColumns = 4096;

    /// <summary>
    /// Whether the rows, bfloat16 or float32 on a CPU, are of a length that fits: whole vectors, as the keys of a picture are.
    /// </summary>
    /// <param name="anyLength">Also other lengths, for which this is faster, too, but differs from libtorch's in last digits.</param>
    public static bool Supports(Tensor scores, bool anyLength) => CpuKernel.Supports(scores) && scores.is_contiguous() && scores.numel() > 0
        && scores.shape[^1] <= MostColumns && (scores.shape[^1] % Lanes == 0 || anyLength && scores.shape[^1] > Lanes);

    /// <summary>Overwrites each row of [..., K] with its softmax. A row's result depends on nothing but the row.</summary>
    public static void Apply(Tensor scores)
    {
        var (width, count) = ((int)scores.shape[^1], scores.numel() / scores.shape[^1]);
        var (memory, isWide) = ((nint)CpuKernel.Address(scores), scores.dtype == ScalarType.Float32);
        CpuKernel.Rows(count, width, [SkipLocalsInit] (first, end) =>
        {
            var row = stackalloc float[MostColumns];
            for (var i = first; i < end; i++)
                if (isWide)
                    Row<Float32Lanes>((void*)memory, i * width, width, row);
                else
                    Row<BFloat16Lanes>((void*)memory, i * width, width, row);
        });
    }

    // The last vector of a row that is not whole vectors begins before the end of the one before it.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Row<T>(void* memory, long start, int width, float* row)
        where T : struct, ILanes
    {
        var (whole, last) = (width - width % Lanes, start + width - Lanes);
        var most = T.Load(memory, last);
        for (var i = 0; i < whole; i += Lanes)
            most = Vector512.MaxNative(most, T.Load(memory, start + i));
        var largest = most[0];
        for (var lane = 1; lane < Lanes; lane++)
            largest = MathF.Max(largest, most[lane]);
        var (shift, sums) = (Vector512.Create(largest), Vector512<float>.Zero);
        for (var i = 0; i < whole; i += Lanes)
        {
            var exponentials = Exponential.Compute(T.Load(memory, start + i) - shift);
            exponentials.Store(row + i);
            sums += exponentials;
        }

        if (whole < width)
        {
            var exponentials = Exponential.Compute(T.Load(memory, last) - shift);
            exponentials.Store(row + width - Lanes);
            var isNew = Vector512.GreaterThanOrEqual(Vector512<int>.Indices, Vector512.Create(whole - width + Lanes));
            sums += Vector512.ConditionalSelect(isNew.AsSingle(), exponentials, Vector512<float>.Zero);
        }

        var factor = Vector512.Create(1 / Vector512.Sum(sums));
        for (var i = 0; i < whole; i += Lanes)
            T.Store(Vector512.Load(row + i) * factor, memory, start + i);
        if (whole < width)
            T.Store(Vector512.Load(row + width - Lanes) * factor, memory, last);
    }
}
