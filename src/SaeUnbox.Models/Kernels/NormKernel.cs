using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>
/// Group norm and layer norm that stay accurate if a mean is large. They sum differences from an estimate of the mean, add the partial sums
/// in float64, and subtract the mean before they multiply. libtorch's group norm of channels-last tensors computes E[x^2] - E[x]^2 in
/// float32; for a standard deviation of 1 its error is 3e-3 at a mean of 100, and above 1 at a mean of 10,000.
/// </summary>
internal static unsafe class NormKernel
{
    private const int Lanes = 16;
    private const int MaxParts = 64;
    private const int PixelsPerPart = 128;

    // With fewer elements, starting threads takes longer than the work.
    private const int MinParallelElements = 1 << 15;

    /// <summary>Whether the kernels support this tensor with this many channels.</summary>
    public static bool Supports(Tensor x, long channels) => channels % Lanes == 0 && CpuKernel.Supports(x);

    /// <summary>Group norm of [B, C, H, W], optionally followed by silu. The result is stored channels last.</summary>
    /// <param name="weight">[C], float32, like <paramref name="bias"/>.</param>
    public static Tensor GroupNorm(Tensor x, long groups, Tensor weight, Tensor bias, double eps, bool silu)
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

    /// <summary>Layer norm over the last dimension, D.</summary>
    /// <param name="weight">[D], float32, like <paramref name="bias"/>.</param>
    public static Tensor LayerNorm(Tensor x, Tensor weight, Tensor bias, double eps)
    {
        using var scope = NewDisposeScope();
        var rows = x.contiguous();
        var result = empty_like(rows);
        var width = (int)x.shape[^1];
        var (count, half) = ((int)(x.numel() / width), x.dtype != ScalarType.Float32);
        var (from, to) = ((nint)CpuKernel.Address(rows), (nint)CpuKernel.Address(result));
        var (scale, shift) = ((nint)CpuKernel.Address(weight), (nint)CpuKernel.Address(bias));
        var parts = Math.Min(MaxParts, count);
        CpuKernel.For(parts, x.numel() >= MinParallelElements, part =>
        {
            for (var row = (long)count * part / parts; row < (long)count * (part + 1) / parts; row++)
            {
                if (half)
                    Row<BFloat16Lanes, BFloat16Lanes>(
                        (ushort*)from + row * width, (ushort*)to + row * width, width, (float*)scale, (float*)shift, eps);
                else
                    Row<Float32Lanes, Float32Lanes>(
                        (float*)from + row * width, (float*)to + row * width, width, (float*)scale, (float*)shift, eps);
            }
        });
        GC.KeepAlive(weight);
        GC.KeepAlive(bias);
        return result.MoveToOuterDisposeScope();
    }

    /// <summary>The layer norm of one row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Row<TFrom, TTo>(void* from, void* to, int width, float* weight, float* bias, double eps)
        where TFrom : ILoadLanes
        where TTo : ILanes
    {
        var estimate = Vector512.Create(TFrom.Load(from, 0)[0]);
        var sum = Vector512<float>.Zero;
        for (var i = 0; i < width; i += Lanes)
            sum += TFrom.Load(from, i) - estimate;
        var (coarse, fine) = Split(estimate[0] + Total(sum) / width);
        var (mean, rest, squares) = (Vector512.Create(coarse), Vector512.Create(fine), Vector512<float>.Zero);
        for (var i = 0; i < width; i += Lanes)
        {
            var centred = TFrom.Load(from, i) - mean - rest;
            squares = Vector512.FusedMultiplyAdd(centred, centred, squares);
        }

        var scale = Vector512.Create((float)(1 / Math.Sqrt(Total(squares) / width + eps)));
        for (var i = 0; i < width; i += Lanes)
        {
            var centred = TFrom.Load(from, i) - mean - rest;
            TTo.Store(Vector512.FusedMultiplyAdd(centred * scale, Vector512.Load(weight + i), Vector512.Load(bias + i)), to, i);
        }
    }

    private static double Total(Vector512<float> sums)
    {
        var (low, high) = Vector512.Widen(sums);
        return Vector512.Sum(low + high);
    }

    // The mean as a float32 and its rounding error. If x is close to the mean, x - coarse is exact.
    private static (float Coarse, float Fine) Split(double mean) => ((float)mean, (float)(mean - (float)mean));

    private sealed record GroupTask(
        int Batch, int Pixels, int Channels, int Groups, double Eps, bool Silu, nint From, nint To, nint Weight, nint Bias)
    {
        private const int Samples = 8;

        // Independent of the number of threads, so that results are, too.
        private readonly int _parts = Math.Clamp(Pixels / PixelsPerPart, 1, MaxParts);

        public void Run<T>() where T : ILanes
        {
            var parallel = (long)Pixels * Channels >= MinParallelElements;
            for (var image = 0; image < Batch; image++)
            {
                var start = (long)image * Pixels * Channels;
                var estimates = EstimateMeans<T>(start);
                var sums = new double[_parts][];
                CpuKernel.For(_parts, parallel, part => sums[part] = Sums<T>(start, First(part), First(part + 1), estimates));
                var scales = Scales(estimates, sums);
                CpuKernel.For(_parts, parallel, part => Apply<T>(start, First(part), First(part + 1), scales));
            }
        }

        private long First(int part) => (long)Pixels * part / _parts;

        // Averages a few pixels of each channel.
        private float[] EstimateMeans<T>(long start) where T : ILanes
        {
            var estimates = new float[Channels];
            var samples = Math.Min(Samples, Pixels);
            fixed (float* sum = estimates)
            {
                for (var sample = 0; sample < samples; sample++)
                {
                    var at = start + (long)Pixels * sample / samples * Channels;
                    for (var i = 0; i < Channels; i += Lanes)
                        (Vector512.Load(sum + i) + T.Load((void*)From, at + i) / samples).Store(sum + i);
                }
            }

            return estimates;
        }

        // For each channel, the sum of the differences from the estimate; then, for each channel, the sum of their squares.
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private double[] Sums<T>(long start, long first, long end, float[] estimates) where T : ILanes
        {
            var channels = Channels;
            var from = (void*)From;
            var totals = new double[2 * channels];
            var scratch = new float[2 * channels];
            fixed (double* total = totals)
            fixed (float* sum = scratch, shift = estimates)
            {
                var squares = sum + channels;
                for (var pixel = first; pixel < end;)
                {
                    new Span<float>(sum, 2 * channels).Clear();
                    var next = Math.Min(end, pixel + PixelsPerPart);
                    for (; pixel < next; pixel++)
                    {
                        var at = start + pixel * channels;
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

        // The coarse means of the groups of all channels, then the fine ones, then the factors of the differences from the means.
        private float[] Scales(float[] estimates, double[][] sums)
        {
            var width = Channels / Groups;
            var scales = new float[3 * Channels];
            var (mean, variance) = (new double[Channels], new double[Channels]);
            for (var i = 0; i < Channels; i++)
            {
                double sum = 0, squares = 0;
                foreach (var part in sums)
                    (sum, squares) = (sum + part[i], squares + part[Channels + i]);
                mean[i] = estimates[i] + sum / Pixels;
                variance[i] = squares / Pixels - sum / Pixels * (sum / Pixels);
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
                for (var pixel = first; pixel < end; pixel++)
                {
                    var at = start + pixel * channels;
                    for (var i = 0; i < channels; i += Lanes)
                    {
                        var centred = T.Load(from, at + i) - Vector512.Load(coarse + i) - Vector512.Load(fine + i);
                        var y = Vector512.FusedMultiplyAdd(centred, Vector512.Load(scale + i), Vector512.Load(bias + i));
                        T.Store(silu ? y / (Vector512<float>.One + Exponential.Compute(-y)) : y, to, at + i);
                    }
                }
            }
        }
    }
}
