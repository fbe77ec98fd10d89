using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>
/// 3x3 convolutions of float32 pictures with less work: F(2x2, 3x3) of Lavin and Gray (arXiv 1509.09308). Each 4x4 tile of the input, two cells
/// apart, gives 2x2 cells of the result through 16 products a pair of channels, where the plain sum takes 36.
/// </summary>
internal static unsafe class Winograd
{
    private const int Lanes = 16;
    private const int Places = 16;

    // Fewer channels do not pay for the tiles' transformations, nor fewer tiles for the kernel's.
    private const int LeastChannels = 128;
    private const int LeastTiles = 1024;

    // Elements of the transformed tiles of one band: enough rows for the products' full rate, few enough to be read from the cache.
    private const long Band = 8 << 20;

    /// <summary>Told by shapes, type and processor alone, so that the same run takes the same way.</summary>
    public static bool IsFaster(Tensor x, Tensor weight) => x.dtype == ScalarType.Float32 && CpuKernel.Takes(x) && RowProducts.AreSlow(x.dtype)
        && weight.shape[0] >= LeastChannels && weight.shape[1] >= LeastChannels && weight.shape[0] % Lanes == 0 && weight.shape[1] % Lanes == 0
        && x.shape[2] % 2 == 0 && x.shape[3] % 2 == 0 && x.shape[2] * x.shape[3] / 4 >= LeastTiles;

    /// <summary>The kernel [out, in, 3, 3] for <see cref="Convolve"/>: [16, out, in].</summary>
    public static Tensor Transform(Tensor weight)
    {
        using var scope = NewDisposeScope();
        var g = tensor(new float[,] { { 1, 0, 0 }, { .5f, .5f, .5f }, { .5f, -.5f, .5f }, { 0, 0, 1 } });
        var (outputs, inputs) = (weight.shape[0], weight.shape[1]);
        var columns = weight.permute(2, 3, 0, 1).reshape(3, -1);
        var half = g.mm(columns).view(4, 3, outputs * inputs).transpose(0, 1).reshape(3, -1);
        return g.mm(half).view(4, 4, outputs, inputs).transpose(0, 1).reshape(Places, outputs, inputs).MoveToOuterDisposeScope();
    }

    /// <summary>Of [B, in, H, W], sides even, padded by one cell of zeros: [B, out, H, W], channels last.</summary>
    /// <param name="kernel">As <see cref="Transform"/> gives it.</param>
    public static Tensor Convolve(Tensor x, Tensor kernel, Tensor? bias)
    {
        using var scope = NewDisposeScope();
        var (batch, height, width) = ((int)x.shape[0], (int)x.shape[2], (int)x.shape[3]);
        var (inputs, outputs) = ((int)kernel.shape[2], (int)kernel.shape[1]);
        var cells = x.permute(0, 2, 3, 1).contiguous();
        var result = empty([batch, height, width, outputs], ScalarType.Float32);
        var shift = bias ?? zeros([outputs], ScalarType.Float32);
        OperationCount.Current?.Add(2L * Places * batch * (height / 2) * (width / 2) * inputs * outputs);
        var rows = (int)Math.Clamp(Band / ((long)Places * (width / 2) * Math.Max(inputs, outputs)), 1, height / 2);
        for (var picture = 0; picture < batch; picture++)
        {
            for (var row = 0; row < height / 2; row += rows)
            {
                using var band = NewDisposeScope();
                var count = Math.Min(rows, height / 2 - row);
                var tiles = (long)count * (width / 2);
                var transformed = empty([Places, tiles, inputs], ScalarType.Float32);
                var (from, to) = ((nint)((float*)CpuKernel.Address(cells) + (long)picture * height * width * inputs), (nint)CpuKernel.Address(transformed));
                var first = row;
                CpuKernel.For(count, true, i => Input((float*)from, (float*)to + (long)i * (width / 2) * inputs, first + i, height, width, inputs, tiles * inputs));
                var products = new Tensor[Places];
                var sources = new nint[Places];
                for (var place = 0; place < Places; place++)
                {
                    products[place] = RowProducts.Linear(transformed[place], kernel[place]).contiguous();
                    sources[place] = (nint)CpuKernel.Address(products[place]);
                }

                var target = (nint)((float*)CpuKernel.Address(result) + (long)picture * height * width * outputs);
                var added = (nint)CpuKernel.Address(shift);
                CpuKernel.For(count, true, i => Output(sources, (long)i * (width / 2) * outputs, (float*)target, (float*)added, first + i, width, outputs));
            }
        }

        GC.KeepAlive(bias);
        return result.permute(0, 3, 1, 2).MoveToOuterDisposeScope();
    }

    // A row of tiles: B^T d B, place by place, `step` elements apart.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Input(float* from, float* to, int tileRow, int height, int width, int channels, long step)
    {
        var d = stackalloc float*[16];
        for (var tile = 0; tile < width / 2; tile++)
        {
            for (var i = 0; i < 16; i++)
            {
                var (y, x) = (2 * tileRow - 1 + i / 4, 2 * tile - 1 + i % 4);
                d[i] = y < 0 || y >= height || x < 0 || x >= width ? null : from + ((long)y * width + x) * channels;
            }

            for (var c = 0; c < channels; c += Lanes)
            {
                var target = to + (long)tile * channels + c;
                // Down the columns first: two rows of B^T d at a time keep within the registers.
                var (r00, r01, r02, r03) = Difference(d, 0, 8, c);
                Across(r00, r01, r02, r03, target, step);
                var (r10, r11, r12, r13) = Sum(d, 4, 8, c);
                Across(r10, r11, r12, r13, target + 4 * step, step);
                var (r20, r21, r22, r23) = Difference(d, 8, 4, c);
                Across(r20, r21, r22, r23, target + 8 * step, step);
                var (r30, r31, r32, r33) = Difference(d, 4, 12, c);
                Across(r30, r31, r32, r33, target + 12 * step, step);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector512<float>, Vector512<float>, Vector512<float>, Vector512<float>) Difference(float** d, int a, int b, int c) =>
        (At(d[a], c) - At(d[b], c), At(d[a + 1], c) - At(d[b + 1], c), At(d[a + 2], c) - At(d[b + 2], c), At(d[a + 3], c) - At(d[b + 3], c));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector512<float>, Vector512<float>, Vector512<float>, Vector512<float>) Sum(float** d, int a, int b, int c) =>
        (At(d[a], c) + At(d[b], c), At(d[a + 1], c) + At(d[b + 1], c), At(d[a + 2], c) + At(d[b + 2], c), At(d[a + 3], c) + At(d[b + 3], c));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> At(float* cell, int c) => cell is null ? Vector512<float>.Zero : Vector512.Load(cell + c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Across(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d, float* to, long step)
    {
        (a - c).Store(to);
        (b + c).Store(to + step);
        (c - b).Store(to + 2 * step);
        (b - d).Store(to + 3 * step);
    }

    // A row of tiles: A^T m A and the bias.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Output(nint[] from, long start, float* to, float* bias, int tileRow, int width, int channels)
    {
        var m = stackalloc float*[Places];
        for (var place = 0; place < Places; place++)
            m[place] = (float*)from[place] + start;
        for (var tile = 0; tile < width / 2; tile++)
        {
            for (var c = 0; c < channels; c += Lanes)
            {
                var at = (long)tile * channels + c;
                var target = to + ((long)2 * tileRow * width + 2 * tile) * channels + c;
                var (a0, b0) = Down(m, 0, at);
                var (a1, b1) = Down(m, 1, at);
                var (a2, b2) = Down(m, 2, at);
                var (a3, b3) = Down(m, 3, at);
                var shift = Vector512.Load(bias + c);
                (a0 + a1 + a2 + shift).Store(target);
                (a1 - a2 - a3 + shift).Store(target + channels);
                target += (long)width * channels;
                (b0 + b1 + b2 + shift).Store(target);
                (b1 - b2 - b3 + shift).Store(target + channels);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector512<float> Upper, Vector512<float> Lower) Down(float** m, int column, long at)
    {
        Vector512<float> a = Vector512.Load(m[column] + at), b = Vector512.Load(m[4 + column] + at), c = Vector512.Load(m[8 + column] + at), d = Vector512.Load(m[12 + column] + at);
        return (a + b + c, b - c - d);
    }
}
