using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>
/// Norms as two passes over memory that keep their digits beside large means: sums are taken of differences to a value near by, and
/// added up in float64; the mean is taken off before anything is multiplied. libtorch's group norm of channels-last tensors takes
/// E[x^2] - E[x]^2 in float32, which is off by 3e-3 at a mean of 100 and by more than the spread at 10,000.
/// </summary>
internal static unsafe class NormKernel
{
    private const int Lanes = 16;
    private const int MostParts = 64;
    private const int CellsOfPart = 128;
    private const int WorthThreads = 1 << 15;

    /// <summary>Whether <see cref="OfGroups"/> or <see cref="OfRows"/> can take it; the last dimension in memory is that of channels.</summary>
    public static bool Takes(Tensor x, long channels) => channels % Lanes == 0 && CpuKernel.Takes(x);

    /// <summary>Group norm of [B, C, H, W], and silu where wanted; the result is channels last.</summary>
    /// <param name="weight">[C], float32; as <paramref name="bias"/>.</param>
    public static Tensor OfGroups(Tensor x, long groups, Tensor weight, Tensor bias, double eps, bool silu)
    {
        using var scope = NewDisposeScope();
        var rows = x.permute(0, 2, 3, 1).contiguous();
        var result = empty_like(rows);
        var task = new GroupTask((int)x.shape[0], (int)(x.shape[2] * x.shape[3]), (int)x.shape[1], (int)groups, eps, silu,
            (nint)CpuKernel.Address(rows), (nint)CpuKernel.Address(result), (nint)CpuKernel.Address(weight), (nint)CpuKernel.Address(bias));
        if (x.dtype == ScalarType.Float32)
            task.Run<Float32Lanes>();
        else
            task.Run<BFloat16Lanes>();
        GC.KeepAlive(weight);
        GC.KeepAlive(bias);
        return result.permute(0, 3, 1, 2).MoveToOuterDisposeScope();
    }

    /// <summary>Layer norm over the last dimension.</summary>
    /// <param name="weight">Float32; as <paramref name="bias"/>.</param>
    public static Tensor OfRows(Tensor x, Tensor weight, Tensor bias, double eps)
    {
        using var scope = NewDisposeScope();
        var rows = x.contiguous();
        var result = empty_like(rows);
        var width = (int)x.shape[^1];
        var (count, half) = ((int)(x.numel() / width), x.dtype != ScalarType.Float32);
        var (from, to, scale, shift) = ((nint)CpuKernel.Address(rows), (nint)CpuKernel.Address(result), (nint)CpuKernel.Address(weight), (nint)CpuKernel.Address(bias));
        var parts = Math.Min(MostParts, count);
        CpuKernel.For(parts, x.numel() >= WorthThreads, part =>
        {
            for (var row = (long)count * part / parts; row < (long)count * (part + 1) / parts; row++)
            {
                if (half)
                    Row<BFloat16Lanes>((void*)from, (void*)to, row * width, width, (float*)scale, (float*)shift, eps);
                else
                    Row<Float32Lanes>((void*)from, (void*)to, row * width, width, (float*)scale, (float*)shift, eps);
            }
        });
        GC.KeepAlive(weight);
        GC.KeepAlive(bias);
        return result.MoveToOuterDisposeScope();
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Row<T>(void* from, void* to, long start, int width, float* weight, float* bias, double eps) where T : ILanes
    {
        var near = Vector512.Create(T.Load(from, start)[0]);
        var sum = Vector512<float>.Zero;
        for (var i = 0; i < width; i += Lanes)
            sum += T.Load(from, start + i) - near;
        var (coarse, fine) = Split(near[0] + Total(sum) / width);
        var (mean, rest, squares) = (Vector512.Create(coarse), Vector512.Create(fine), Vector512<float>.Zero);
        for (var i = 0; i < width; i += Lanes)
        {
            var centred = T.Load(from, start + i) - mean - rest;
            squares = Vector512.FusedMultiplyAdd(centred, centred, squares);
        }

        var scale = Vector512.Create((float)(1 / Math.Sqrt(Total(squares) / width + eps)));
        for (var i = 0; i < width; i += Lanes)
        {
            var centred = T.Load(from, start + i) - mean - rest;
            T.Store(Vector512.FusedMultiplyAdd(centred * scale, Vector512.Load(weight + i), Vector512.Load(bias + i)), to, start + i);
        }
    }

    private static double Total(Vector512<float> sums)
    {
        var (low, high) = Vector512.Widen(sums);
        return Vector512.Sum(low + high);
    }

    // A mean as the nearest float32 and what is missing: x - coarse is exact where x is near the mean.
    private static (float Coarse, float Fine) Split(double mean) => ((float)mean, (float)(mean - (float)mean));

    private sealed record GroupTask(int Batch, int Cells, int Channels, int Groups, double Eps, bool Silu, nint From, nint To, nint Weight, nint Bias)
    {
        private const int Samples = 8;

        // The same whatever the number of threads.
        private readonly int parts = Math.Clamp(Cells / CellsOfPart, 1, MostParts);

        public void Run<T>() where T : ILanes
        {
            var worth = (long)Cells * Channels >= WorthThreads;
            for (var picture = 0; picture < Batch; picture++)
            {
                var start = (long)picture * Cells * Channels;
                var near = Near<T>(start);
                var sums = new double[parts][];
                CpuKernel.For(parts, worth, part => sums[part] = Sums<T>(start, First(part), First(part + 1), near));
                var scales = Scales(near, sums);
                CpuKernel.For(parts, worth, part => Apply<T>(start, First(part), First(part + 1), scales));
            }
        }

        private long First(int part) => (long)Cells * part / parts;

        // Of every channel a value near its mean: the average of a few cells.
        private float[] Near<T>(long start) where T : ILanes
        {
            var near = new float[Channels];
            var samples = Math.Min(Samples, Cells);
            fixed (float* sum = near)
            {
                for (var sample = 0; sample < samples; sample++)
                    for (var i = 0; i < Channels; i += Lanes)
                        (Vector512.Load(sum + i) + T.Load((void*)From, start + (long)Cells * sample / samples * Channels + i) / samples).Store(sum + i);
            }

            return near;
        }

        // Of every channel, the differences to the value near: their sums, then the sums of their squares.
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private double[] Sums<T>(long start, long first, long end, float[] near) where T : ILanes
        {
            var channels = Channels;
            var from = (void*)From;
            var totals = new double[2 * channels];
            var scratch = new float[2 * channels];
            fixed (double* total = totals)
            fixed (float* sum = scratch, shift = near)
            {
                var squares = sum + channels;
                for (var cell = first; cell < end;)
                {
                    new Span<float>(sum, 2 * channels).Clear();
                    var next = Math.Min(end, cell + CellsOfPart);
                    for (; cell < next; cell++)
                    {
                        var at = start + cell * channels;
                        for (var i = 0; i < channels; i += Lanes)
                        {
                            var difference = T.Load(from, at + i) - Vector512.Load(shift + i);
                            (Vector512.Load(sum + i) + difference).Store(sum + i);
                            Vector512.FusedMultiplyAdd(difference, difference, Vector512.Load(squares + i)).Store(squares + i);
                        }
                    }

                    for (var i = 0; i < 2 * channels; i++)
                        total[i] += sum[i];
                }
            }

            return totals;
        }

        // Of every channel: the group's mean as two numbers, and what the difference to it is multiplied by.
        private float[] Scales(float[] near, double[][] sums)
        {
            var width = Channels / Groups;
            var scales = new float[3 * Channels];
            var (mean, variance) = (new double[Channels], new double[Channels]);
            for (var i = 0; i < Channels; i++)
            {
                double sum = 0, squares = 0;
                foreach (var part in sums)
                    (sum, squares) = (sum + part[i], squares + part[Channels + i]);
                mean[i] = near[i] + sum / Cells;
                variance[i] = squares / Cells - sum / Cells * (sum / Cells);
            }

            for (var group = 0; group < Channels; group += width)
            {
                double average = 0, spread = 0;
                for (var i = group; i < group + width; i++)
                    average += mean[i] / width;
                for (var i = group; i < group + width; i++)
                    spread += (variance[i] + (mean[i] - average) * (mean[i] - average)) / width;
                for (var i = group; i < group + width; i++)
                {
                    (scales[i], scales[Channels + i]) = Split(average);
                    scales[2 * Channels + i] = (float)(((float*)Weight)[i] / Math.Sqrt(Math.Max(0, spread) + Eps));
                }
            }

            return scales;
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Apply<T>(long start, long first, long end, float[] scales) where T : ILanes
        {
            var (channels, silu) = (Channels, Silu);
            void* from = (void*)From, to = (void*)To;
            var bias = (float*)Bias;
            fixed (float* coarse = scales)
            {
                float* fine = coarse + channels, scale = fine + channels;
                for (var cell = first; cell < end; cell++)
                {
                    var at = start + cell * channels;
                    for (var i = 0; i < channels; i += Lanes)
                    {
                        var centred = T.Load(from, at + i) - Vector512.Load(coarse + i) - Vector512.Load(fine + i);
                        var y = Vector512.FusedMultiplyAdd(centred, Vector512.Load(scale + i), Vector512.Load(bias + i));
                        T.Store(silu ? y / (Vector512<float>.One + Exponential.Of(-y)) : y, to, at + i);
                    }
                }
            }
        }
    }
}
