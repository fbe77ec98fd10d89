using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>Weights in int8, with what products need to know of each output.</summary>
/// <param name="Values">[out, k, k, in] or [out, in], int8.</param>
/// <param name="Scales">[out], float32; a weight is its value times the scale.</param>
/// <param name="Sums">[out], float32: the sums of the values.</param>
internal sealed record Int8Kernel(Tensor Values, Tensor Scales, Tensor Sums)
{
    /// <summary>Rounds weights of the shape of the values, float32.</summary>
    public void Fill(Tensor weights)
    {
        using var scope = NewDisposeScope();
        Int8Product.Quantise(weights, Values, Scales);
        Sums.copy_(Values.flatten(1).sum(1, type: ScalarType.Int32));
    }
}

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

    private const int MostParts = 64;

    // With fewer elements, starting threads takes longer than the work.
    private const long MinParallelElements = 1 << 16;

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

    /// <summary>x W^T + b over the last dimension, in the type of x, for several matrices.</summary>
    /// <param name="matrices">
    /// W [out, in] in int8 with its scales [out] in float32, and b [out] in the type of x; one result for each.
    /// </param>
    public static Tensor[] Linear(Tensor x, params ReadOnlySpan<(Tensor Weight, Tensor Scales, Tensor? Bias)> matrices)
    {
        using var scope = NewDisposeScope();
        var rows = x.reshape(-1, x.shape[^1]).contiguous();
        var (values, factors) = (empty_like(rows, ScalarType.Int8), empty([rows.shape[0]], ScalarType.Float32));
        Quantise(rows, values, factors);
        var results = new Tensor[matrices.Length];
        for (var i = 0; i < results.Length; i++)
        {
            var (weight, scales, bias) = matrices[i];
            var result = empty([rows.shape[0], weight.shape[0]], x.dtype);
            var shift = bias?.to_type(ScalarType.Float32).contiguous() ?? zeros([weight.shape[0]], ScalarType.Float32);
            Multiply(values, factors, weight, scales, shift, result);
            results[i] = result.view([.. x.shape[..^1], weight.shape[0]]).MoveToOuterDisposeScope();
        }

        return results;
    }

    /// <summary>
    /// Convolves [B, in, H, W] to [B, out, h, w], stored channels last, in the type of x. The neighbourhood of each pixel has one scale and
    /// one zero point, because activations behind silu are hardly negative. What is painted in one place changes no other.
    /// </summary>
    /// <param name="bias">[out], in the type of x.</param>
    public static Tensor Convolve(Tensor x, Int8Kernel kernel, Tensor? bias, long stride, long padding)
    {
        using var scope = NewDisposeScope();
        var (outputs, side, channels) = (kernel.Values.shape[0], kernel.Values.shape[1], x.shape[1]);
        long Shrink(long length) => (length + 2 * padding - side) / stride + 1;
        var (batch, height, width) = (x.shape[0], Shrink(x.shape[2]), Shrink(x.shape[3]));
        var padded = nn.functional.pad(x.permute(0, 2, 3, 1), [0, 0, padding, padding, padding, padding]).contiguous();
        var matrix = kernel.Values.view(outputs, -1);
        var shift = bias?.to_type(ScalarType.Float32).contiguous() ?? zeros([outputs], ScalarType.Float32);
        var sums = kernel.Scales.mul(kernel.Sums);
        var result = empty([batch, height, width, outputs], x.dtype);
        var step = Math.Clamp(BandElements / (width * side * side * channels), 1, height);
        for (var image = 0L; image < batch; image++)
            for (var first = 0L; first < height; first += step)
            {
                using var band = NewDisposeScope();
                var count = Math.Min(step, height - first);
                var values = empty([count * width, side * side * channels], ScalarType.Int8);
                var (factors, offsets) = (empty([count * width], ScalarType.Float32), empty([count * width], ScalarType.Float32));
                Gather(padded.select(0, image).narrow(0, first * stride, (count - 1) * stride + side), side, stride, values, factors,
                    offsets);
                // (q + zero) w summed is the sum of q w, and zero times that of w.
                Multiply(values, factors, matrix, kernel.Scales, shift, result.select(0, image).narrow(0, first, count).view(-1, outputs),
                    (offsets, sums));
            }

        return result.permute(0, 3, 1, 2).MoveToOuterDisposeScope();
    }

    /// <summary>Rounds the neighbourhoods of a band of pixels: a value is q * factor + offset, and 0 is exact.</summary>
    /// <param name="band">[H, W, C], contiguous.</param>
    /// <param name="values">[h * w, side * side * C].</param>
    private static void Gather(Tensor band, long side, long stride, Tensor values, Tensor factors, Tensor offsets)
    {
        var (width, channels, isWide) = (band.shape[1], band.shape[2], band.dtype == ScalarType.Float32);
        var (from, to, scales) = Addresses(band, values, factors);
        var (shifts, _, _) = Addresses(offsets, offsets, offsets);
        var (lows, highs) = (new float[band.shape[0] * width], new float[band.shape[0] * width]);
        Rows(lows.Length, channels, pixel => (lows[pixel], highs[pixel]) = isWide
            ? Range<Float32Lanes>((void*)from, pixel * channels, (pixel + 1) * channels)
            : Range<BFloat16Lanes>((void*)from, pixel * channels, (pixel + 1) * channels));
        var (columns, line) = ((width - side) / stride + 1, side * channels);
        Rows(values.shape[0], values.shape[1], row =>
        {
            var corner = row / columns * stride * width + row % columns * stride;
            var (low, high) = (0f, 0f);
            for (var y = 0L; y < side; y++)
                for (var pixel = corner + y * width; pixel < corner + y * width + side; pixel++)
                    (low, high) = (Math.Min(low, lows[pixel]), Math.Max(high, highs[pixel]));
            // Two codes less than there are, because both the zero point and the values are rounded.
            var scale = (high - low) / (2 * Largest - 2);
            var zero = scale > 0 ? MathF.Round((high + low) / 2 / scale) : 0;
            var inverse = scale > 0 ? 1 / scale : 0;
            ((float*)scales)[row] = scale;
            ((float*)shifts)[row] = scale * zero;
            for (var y = 0L; y < side; y++)
            {
                var start = (corner + y * width) * channels;
                var target = (sbyte*)to + (row * side + y) * line - start;
                if (isWide)
                    Round<Float32Lanes>((void*)from, target, start, start + line, inverse, -zero);
                else
                    Round<BFloat16Lanes>((void*)from, target, start, start + line, inverse, -zero);
            }
        });
    }

    // result = sums * rowScale * columnScale + shift, and where rows have a zero point, an offset of the row times a sum of the column.
    private static void Multiply(Tensor rows, Tensor rowScales, Tensor weight, Tensor scales, Tensor shift, Tensor result,
        (Tensor Rows, Tensor Columns)? offset = null)
    {
        using var scope = NewDisposeScope();
        OperationCount.Current?.Add(2 * rows.numel() * weight.shape[0]);
        var sums = ScriptedOperators.Int8Product(rows, weight.t());
        var (from, to, rowFactors) = Addresses(sums, result, rowScales);
        var (factors, shifts, _) = Addresses(scales, shift, shift);
        var (offsets, weights, _) = offset is var (ofRows, ofColumns) ? Addresses(ofRows, ofColumns, ofColumns) : default;
        var (width, isWide) = (weight.shape[0], result.dtype == ScalarType.Float32);
        Rows(rows.shape[0], width, row =>
        {
            var factor = ((float*)rowFactors)[row];
            var columns = (Factors: factors, Shifts: shifts, Weights: weights);
            var added = offsets == 0 ? 0 : ((float*)offsets)[row];
            if (isWide)
                ScaleRow<Float32Lanes>((int*)from + row * width, (void*)to, row * width, factor, added, columns, width);
            else
                ScaleRow<BFloat16Lanes>((int*)from + row * width, (void*)to, row * width, factor, added, columns, width);
        });
    }

    private static (nint, nint, nint) Addresses(Tensor a, Tensor b, Tensor c) =>
        ((nint)CpuKernel.Address(a), (nint)CpuKernel.Address(b), (nint)CpuKernel.Address(c));

    private static void Rows(long count, long width, Action<long> body)
    {
        var parts = (int)Math.Min(count, MostParts);
        CpuKernel.For(parts, count * width >= MinParallelElements, part =>
        {
            for (var row = count * part / parts; row < count * (part + 1) / parts; row++)
                body(row);
        });
    }

    private static void QuantiseRow<T>(void* from, sbyte* to, float* scales, long row, long width)
        where T : struct, ILanes
    {
        var (start, end) = (row * width, (row + 1) * width);
        var (low, high) = Range<T>(from, start, end);
        var largest = Math.Max(-low, high);
        scales[row] = largest / Largest;
        Round<T>(from, to, start, end, largest > 0 ? Largest / largest : 0, 0);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static (float Low, float High) Range<T>(void* memory, long start, long end)
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
            (least, most) = (Math.Min(least, One<T>(memory, i)), Math.Max(most, One<T>(memory, i)));
        return (least, most);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Round<T>(void* from, sbyte* to, long start, long end, float inverse, float added)
        where T : struct, ILanes
    {
        var (factor, rounding) = (Vector512.Create(inverse), Vector512.Create(Rounding + added));
        var i = start;
        for (; i <= end - Lanes; i += Lanes)
            Narrow(Vector512.FusedMultiplyAdd(T.Load(from, i), factor, rounding).AsInt32()).Store(to + i);

        for (; i < end; i++)
            to[i] = (sbyte)BitConverter.SingleToInt32Bits(MathF.FusedMultiplyAdd(One<T>(from, i), inverse, Rounding + added));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<sbyte> Narrow(Vector512<int> values)
    {
        if (Avx512F.IsSupported)
            return Avx512F.ConvertToVector128SByte(values);
        var shorts = Vector256.Narrow(values.GetLower(), values.GetUpper());
        return Vector128.Narrow(shorts.GetLower(), shorts.GetUpper());
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ScaleRow<T>(int* sums, void* to, long start, float factor, float offset,
        (nint Factors, nint Shifts, nint Weights) columns, long width)
        where T : struct, ILanes
    {
        var scales = (float*)columns.Factors;
        var shifts = (float*)columns.Shifts;
        // Without offsets any finite numbers do.
        var weights = columns.Weights == 0 ? scales : (float*)columns.Weights;
        var (whole, wide, shifted) = (width - width % Lanes, Vector512.Create(factor), Vector512.Create(offset));
        for (var i = 0L; i < whole; i += Lanes)
        {
            var sum = Vector512.ConvertToSingle(Vector512.Load(sums + i));
            var added = Vector512.FusedMultiplyAdd(shifted, Vector512.Load(weights + i), Vector512.Load(shifts + i));
            T.Store(sum * (wide * Vector512.Load(scales + i)) + added, to, start + i);
        }

        for (var i = whole; i < width; i++)
            SetOne<T>(to, start + i, sums[i] * (factor * scales[i]) + MathF.FusedMultiplyAdd(offset, weights[i], shifts[i]));
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

/// <summary>Operators of libtorch that TorchSharp does not name, reached through a script. They take tensors only.</summary>
internal static class ScriptedOperators
{
    private static readonly Lazy<jit.CompilationUnit> Unit =
        new(() => jit.compile("def product(a, b):\n    return torch._int_mm(a, b)\n"));

    /// <summary>The product of int8 matrices [N, K] and [K, M], in int32.</summary>
    public static Tensor Int8Product(Tensor a, Tensor b) => (Tensor)Unit.Value.invoke("product", a, b)!;
}
