using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>
/// Products of activations and a matrix of int8 weights. Each row of activations is rounded to int8 with a scale of its own, its largest
/// value over 127; each row of weights has been (<see cref="Quantise"/>). The sums are exact in int32, and are then multiplied by both
/// scales (dynamic symmetric quantisation, arXiv 2208.07339 without its exceptions). A row's result depends on nothing but the row.
/// </summary>
internal static unsafe class Int8Product
{
    private const int Lanes = 16;
    private const float Largest = 127;

    // Added to a small number, this leaves its nearest integer in the lowest bits.
    private const float Rounding = 1.5f * (1 << 23);

    // Elements of the patches of one band of a convolution: they stay in the cache, and give enough rows for a fast product.
    private const long BandElements = 4 << 20;

    // With fewer elements, starting threads takes longer than the work.
    private const long MinParallelElements = 1 << 16;

    // TorchSharp does not name this operator.
    private static readonly Lazy<jit.CompilationUnit> Unit = new(() => jit.compile("def product(a, b):\n    return torch._int_mm(a, b)\n"));

    /// <summary>Rounds the rows of a matrix to int8.</summary>
    /// <param name="rows">[N, K], float32 or bfloat16, contiguous.</param>
    /// <param name="values">[N, K], int8, contiguous; receives the rounded rows.</param>
    /// <param name="scales">[N], float32, contiguous; a row is its values times its scale.</param>
    public static void Quantise(Tensor rows, Tensor values, Tensor scales)
    {
        var (count, width) = (rows.shape[0], rows.numel() / rows.shape[0]);
        var (from, to, factors) = Addresses(rows, values, scales);
        var isWide = rows.dtype == ScalarType.Float32;
        Rows(count, width, row =>
        {
            if (isWide)
                QuantiseRow<Float32Lanes>((void*)from, (sbyte*)to, (float*)factors, row, width);
            else
                QuantiseRow<BFloat16Lanes>((void*)from, (sbyte*)to, (float*)factors, row, width);
        });
    }

    /// <summary>x W^T + b over the last dimension, in the type of x.</summary>
    /// <param name="weight">[out, in], int8.</param>
    /// <param name="scales">[out], float32.</param>
    /// <param name="bias">[out], in the type of x.</param>
    public static Tensor Linear(Tensor x, Tensor weight, Tensor scales, Tensor? bias)
    {
        using var scope = NewDisposeScope();
        var rows = x.reshape(-1, x.shape[^1]).contiguous();
        var (values, factors) = (empty_like(rows, ScalarType.Int8), empty([rows.shape[0]], ScalarType.Float32));
        Quantise(rows, values, factors);
        var result = empty([rows.shape[0], weight.shape[0]], x.dtype);
        Multiply(values, factors, weight, scales, bias, result);
        return result.view([.. x.shape[..^1], weight.shape[0]]).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// Convolves [B, in, H, W] to [B, out, h, w], stored channels last, in the type of x. Each picture of the batch has one scale.
    /// </summary>
    /// <param name="kernel">[out, k, k, in], int8.</param>
    /// <param name="scales">[out], float32.</param>
    /// <param name="bias">[out], in the type of x.</param>
    public static Tensor Convolve(Tensor x, Tensor kernel, Tensor scales, Tensor? bias, long stride, long padding)
    {
        using var scope = NewDisposeScope();
        var (side, outputs, channels) = (kernel.shape[1], kernel.shape[0], x.shape[1]);
        long Shrink(long length) => (length + 2 * padding - side) / stride + 1;
        var (batch, height, width) = (x.shape[0], Shrink(x.shape[2]), Shrink(x.shape[3]));
        var pixels = x.permute(0, 2, 3, 1).contiguous();
        var pictures = pixels.view(batch, -1);
        var (values, factors) = (empty_like(pictures, ScalarType.Int8), empty([batch], ScalarType.Float32));
        Quantise(pictures, values, factors);
        var padded = nn.functional.pad(values.view_as(pixels), [0, 0, padding, padding, padding, padding]).contiguous();
        var (column, row) = (padded.stride(2), padded.stride(1));
        var matrix = kernel.view(outputs, -1);
        var result = empty([batch, height, width, outputs], x.dtype);
        var step = Math.Clamp(BandElements / (width * side * side * channels), 1, height);
        for (var image = 0L; image < batch; image++)
        {
            for (var first = 0L; first < height; first += step)
            {
                using var band = NewDisposeScope();
                var count = Math.Min(step, height - first);
                var patches = padded.as_strided([count, width, side, side, channels], [stride * row, stride * column, row, column, 1],
                    padded.storage_offset() + image * padded.stride(0) + first * stride * row).reshape(count * width, -1);
                Multiply(patches, factors.narrow(0, image, 1).expand(count * width).contiguous(), matrix, scales, bias,
                    result.select(0, image).narrow(0, first, count).view(count * width, outputs));
            }
        }

        return result.permute(0, 3, 1, 2).MoveToOuterDisposeScope();
    }

    // result = sums * rowScale * columnScale + bias.
    private static void Multiply(Tensor rows, Tensor rowScales, Tensor weight, Tensor scales, Tensor? bias, Tensor result)
    {
        using var scope = NewDisposeScope();
        OperationCount.Current?.Add(2 * rows.numel() * weight.shape[0]);
        var sums = (Tensor)Unit.Value.invoke("product", rows, weight.t())!;
        var added = bias?.to_type(ScalarType.Float32) ?? zeros([weight.shape[0]], ScalarType.Float32);
        var (from, to, rowFactors) = Addresses(sums, result, rowScales);
        var (factors, shifts, _) = Addresses(scales, added, added);
        var (width, isWide) = (weight.shape[0], result.dtype == ScalarType.Float32);
        Rows(rows.shape[0], width, row =>
        {
            var factor = ((float*)rowFactors)[row];
            if (isWide)
                ScaleRow<Float32Lanes>((int*)from + row * width, (void*)to, row * width, factor, (float*)factors, (float*)shifts, width);
            else
                ScaleRow<BFloat16Lanes>((int*)from + row * width, (void*)to, row * width, factor, (float*)factors, (float*)shifts, width);
        });
    }

    private static (nint, nint, nint) Addresses(Tensor a, Tensor b, Tensor c) =>
        ((nint)CpuKernel.Address(a), (nint)CpuKernel.Address(b), (nint)CpuKernel.Address(c));

    private static void Rows(long count, long width, Action<long> body)
    {
        const int mostParts = 64;
        var parts = (int)Math.Min(count, mostParts);
        CpuKernel.For(parts, count * width >= MinParallelElements, part =>
        {
            for (var row = count * part / parts; row < count * (part + 1) / parts; row++)
                body(row);
        });
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void QuantiseRow<T>(void* from, sbyte* to, float* scales, long row, long width)
        where T : struct, ILanes
    {
        var (start, whole) = (row * width, width - width % Lanes);
        var most = Vector512<float>.Zero;
        for (var i = 0L; i < whole; i += Lanes)
            most = Vector512.Max(most, Vector512.Abs(T.Load(from, start + i)));
        var largest = 0f;
        for (var i = 0; i < Lanes; i++)
            largest = Math.Max(largest, most[i]);
        for (var i = whole; i < width; i++)
            largest = Math.Max(largest, Math.Abs(One<T>(from, start + i)));
        scales[row] = largest / Largest;
        var inverse = largest > 0 ? Largest / largest : 0;
        var (factor, rounding) = (Vector512.Create(inverse), Vector512.Create(Rounding));
        for (var i = 0L; i < whole; i += Lanes)
        {
            var bits = (T.Load(from, start + i) * factor + rounding).AsInt32();
            var shorts = Vector256.Narrow(bits.GetLower(), bits.GetUpper());
            Vector128.Narrow(shorts.GetLower(), shorts.GetUpper()).Store(to + start + i);
        }

        for (var i = whole; i < width; i++)
            to[start + i] = (sbyte)BitConverter.SingleToInt32Bits(One<T>(from, start + i) * inverse + Rounding);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ScaleRow<T>(int* sums, void* to, long start, float factor, float* scales, float* shifts, long width)
        where T : struct, ILanes
    {
        var (whole, wide) = (width - width % Lanes, Vector512.Create(factor));
        for (var i = 0L; i < whole; i += Lanes)
        {
            var sum = Vector512.ConvertToSingle(Vector512.Load(sums + i));
            T.Store(sum * (wide * Vector512.Load(scales + i)) + Vector512.Load(shifts + i), to, start + i);
        }

        for (var i = whole; i < width; i++)
            SetOne<T>(to, start + i, sums[i] * (factor * scales[i]) + shifts[i]);
    }

    private static float One<T>(void* memory, long index)
        where T : struct, ILanes =>
        T.Bytes == sizeof(float) ? ((float*)memory)[index] : BitConverter.Int32BitsToSingle(((ushort*)memory)[index] << 16);

    private static void SetOne<T>(void* memory, long index, float value)
        where T : struct, ILanes
    {
        var lanes = stackalloc float[Lanes];
        T.Store(Vector512.Create(value), lanes, 0);
        if (T.Bytes == sizeof(float))
            ((float*)memory)[index] = *lanes;
        else
            ((ushort*)memory)[index] = *(ushort*)lanes;
    }
}
