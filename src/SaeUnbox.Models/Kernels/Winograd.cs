using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>
/// 3x3 convolutions in float32 with fewer multiplications: F(2x2, 3x3) of Lavin and Gray (arXiv 1509.09308). Each 4x4 input tile gives 2x2
/// output pixels with 16 multiplications for each pair of channels instead of 36.
/// </summary>
internal static unsafe class Winograd
{
    private const int Lanes = 16;
    private const int TileElements = 16;

    // With fewer channels or tiles, the transforms cost more than the multiplications save.
    private const int MinChannels = 128;
    private const int MinTiles = 1024;

    // Elements of the transformed tiles of one band: enough for fast matrix products, few enough to stay in the cache.
    private const long BandElements = 8 << 20;

    /// <summary>Depends only on shapes, type and processor, so that equal runs give equal results.</summary>
    public static bool IsFaster(Tensor x, Tensor weight) =>
        x.dtype == ScalarType.Float32 && CpuKernel.Supports(x) && RowProducts.AreSlow(x.dtype)
        && weight.shape[..2].All(channels => channels >= MinChannels && channels % Lanes == 0)
        && x.shape[2] % 2 == 0 && x.shape[3] % 2 == 0 && x.shape[2] * x.shape[3] / 4 >= MinTiles;

    /// <summary>Transforms a kernel [out, in, 3, 3] to [16, out, in] for <see cref="Convolve"/>.</summary>
    public static Tensor Transform(Tensor weight)
    {
        using var scope = NewDisposeScope();
        var g = tensor(new float[,] { { 1, 0, 0 }, { .5f, .5f, .5f }, { .5f, -.5f, .5f }, { 0, 0, 1 } });
        var (outputs, inputs) = (weight.shape[0], weight.shape[1]);
        var columns = weight.permute(2, 3, 0, 1).reshape(3, -1);
        var half = g.mm(columns).view(4, 3, outputs * inputs).transpose(0, 1).reshape(3, -1);
        return g.mm(half).view(4, 4, outputs, inputs).transpose(0, 1).reshape(TileElements, outputs, inputs).MoveToOuterDisposeScope();
    }

    /// <summary>Convolves [B, in, H, W] with even sides, padded by one zero pixel, to [B, out, H, W], stored channels last.</summary>
    /// <param name="kernel">The result of <see cref="Transform"/>.</param>
    public static Tensor Convolve(Tensor x, Tensor kernel, Tensor? bias)
    {
        using var scope = NewDisposeScope();
        var (batch, height, width) = ((int)x.shape[0], (int)x.shape[2], (int)x.shape[3]);
        var (inputs, outputs) = ((int)kernel.shape[2], (int)kernel.shape[1]);
        var pixels = x.permute(0, 2, 3, 1).contiguous();
        var result = empty([batch, height, width, outputs], ScalarType.Float32);
        var shift = bias ?? zeros([outputs], ScalarType.Float32);
        OperationCount.Current?.Add(2L * TileElements * batch * (height / 2) * (width / 2) * inputs * outputs);
        var rows = (int)Math.Clamp(BandElements / ((long)TileElements * (width / 2) * Math.Max(inputs, outputs)), 1, height / 2);
        for (var image = 0; image < batch; image++)
        {
            for (var row = 0; row < height / 2; row += rows)
            {
                using var band = NewDisposeScope();
                var count = Math.Min(rows, height / 2 - row);
                var tiles = (long)count * (width / 2);
                var transformed = empty([TileElements, tiles, inputs], ScalarType.Float32);
                var from = (nint)((float*)CpuKernel.Address(pixels) + (long)image * height * width * inputs);
                var to = (nint)CpuKernel.Address(transformed);
                var first = row;
                CpuKernel.For(count, true, i => TransformInput(
                    (float*)from, (float*)to + (long)i * (width / 2) * inputs, first + i, height, width, inputs, tiles * inputs));
                var products = new Tensor[TileElements];
                var sources = new nint[TileElements];
                for (var i = 0; i < TileElements; i++)
                {
                    products[i] = RowProducts.Linear(transformed[i], kernel[i]).contiguous();
                    sources[i] = (nint)CpuKernel.Address(products[i]);
                }

                var target = (nint)((float*)CpuKernel.Address(result) + (long)image * height * width * outputs);
                var added = (nint)CpuKernel.Address(shift);
                CpuKernel.For(count, true, i => TransformOutput(
                    sources, (long)i * (width / 2) * outputs, (float*)target, (float*)added, first + i, width, outputs));
            }
        }

        GC.KeepAlive(bias);
        return result.permute(0, 3, 1, 2).MoveToOuterDisposeScope();
    }

    // Computes B^T d B for a row of tiles and stores its 16 elements `step` apart.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TransformInput(float* from, float* to, int tileRow, int height, int width, int channels, long step)
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
                // One row of B^T d at a time fits in the registers.
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
        (At(d[a], c) - At(d[b], c), At(d[a + 1], c) - At(d[b + 1], c),
            At(d[a + 2], c) - At(d[b + 2], c), At(d[a + 3], c) - At(d[b + 3], c));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector512<float>, Vector512<float>, Vector512<float>, Vector512<float>) Sum(float** d, int a, int b, int c) =>
        (At(d[a], c) + At(d[b], c), At(d[a + 1], c) + At(d[b + 1], c),
            At(d[a + 2], c) + At(d[b + 2], c), At(d[a + 3], c) + At(d[b + 3], c));

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

    // Computes A^T m A plus the bias for a row of tiles.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TransformOutput(nint[] from, long start, float* to, float* bias, int tileRow, int width, int channels)
    {
        var m = stackalloc float*[TileElements];
        for (var i = 0; i < TileElements; i++)
            m[i] = (float*)from[i] + start;
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
        var (a, b) = (Vector512.Load(m[column] + at), Vector512.Load(m[4 + column] + at));
        var (c, d) = (Vector512.Load(m[8 + column] + at), Vector512.Load(m[12 + column] + at));
        return (a + b + c, b - c - d);
    }
}
